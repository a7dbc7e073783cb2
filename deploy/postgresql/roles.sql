-- The role that Spanfeed's processes use on PostgreSQL. Run it with psql as the owner of the tables, in Spanfeed's
-- database, after each `spanfeed db upgrade`; running it again is harmless.
--
-- The owner migrates; `spanfeed_app` reads and writes, but may only add to the audit trail and read it. Give the role a
-- password afterwards (\password spanfeed_app) and put it into DATABASE_URL of all processes.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'spanfeed_app') THEN
        CREATE ROLE spanfeed_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
    END IF;
END
$$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO spanfeed_app;

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO spanfeed_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO spanfeed_app;

-- The schema's revision is read, never written.
REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM spanfeed_app;

-- The audit trail: no update, no delete, no truncate.
REVOKE ALL ON audit_entries FROM spanfeed_app;
GRANT SELECT, INSERT ON audit_entries TO spanfeed_app;
