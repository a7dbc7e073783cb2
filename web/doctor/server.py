"""Redis: whether it can be used, and whether it keeps what it is given."""

from __future__ import annotations

from pipeline.errors import BusRefused, BusUnavailable
from web.doctor.lines import Line, bytes_text, fault, ok, warning
from web.doctor.patient import Patient

OLDEST_VERSION = (6, 2)
_FULL_WARNING_SHARE = 0.8
_FULL_FAULT_SHARE = 0.95
_RIGHTS = "give REDIS_URL's user the rights: ACL SETUSER … ~* &* +@all -@dangerous +info"


def reachable(patient: Patient) -> list[Line]:
    """Redis answers, is new enough and may be written to."""
    redis = patient.asked_redis
    try:
        facts = redis.server()
    except BusUnavailable as error:
        return [fault("redis", f"{redis.address}: {error}", "start it, or correct REDIS_URL and its password")]
    except BusRefused as error:
        return [fault("redis", f"{redis.address}: {error}", _RIGHTS)]
    found = f"{facts.name} {facts.version} at {redis.address}"
    if facts.version_numbers < OLDEST_VERSION:
        return [fault("redis", f"{found} is too old", "install Redis 6.2 or newer, or Valkey")]
    if facts.is_replica:
        return [fault("redis", f"{found} is a replica", "set REDIS_URL to the primary")]
    return [ok("redis", found)]


def persistence(patient: Patient) -> list[Line]:
    """What Redis has accepted is on its disk."""
    redis = patient.asked_redis
    facts = redis.server()
    if not facts.keeps_log:
        return [
            fault(
                "persistence",
                "appendonly is off: a restart of Redis loses messages and events",
                "redis-cli CONFIG SET appendonly yes, and in its configuration",
            )
        ]
    if not facts.log_writes or not facts.log_rewrites:
        what = "written" if not facts.log_writes else "rewritten"
        mend = "make room on Redis's disk and look into its log"
        return [fault("persistence", f"the append-only file could not be {what} the last time", mend)]
    fsync = redis.configured("appendfsync")
    if fsync == "no":
        found = "appendfsync is no: a power cut can lose half a minute"
        return [warning("persistence", found, "redis-cli CONFIG SET appendfsync everysec, and in its configuration")]
    return [ok("persistence", f"appendonly yes, appendfsync {fsync or 'unknown'}")]


def memory(patient: Patient) -> list[Line]:
    """Redis throws nothing away, and is not full."""
    facts = patient.asked_redis.server()
    if facts.eviction != "noeviction":
        found = f"maxmemory-policy is {facts.eviction}: a full Redis throws messages and events away"
        mend = "redis-cli CONFIG SET maxmemory-policy noeviction, and in its configuration"
        return [fault("memory", found, mend)]
    if not facts.memory_limit_bytes:
        return [ok("memory", f"maxmemory-policy noeviction, {bytes_text(facts.memory_bytes)} used, no limit")]
    share = facts.memory_bytes / facts.memory_limit_bytes
    found = f"{bytes_text(facts.memory_bytes)} of {bytes_text(facts.memory_limit_bytes)} used ({share:.0%})"
    mend = "raise maxmemory; look whether the recorder keeps up"
    if share >= _FULL_FAULT_SHARE:
        return [fault("memory", f"{found}: soon every message is refused", mend)]
    if share >= _FULL_WARNING_SHARE:
        return [warning("memory", found, mend)]
    return [ok("memory", f"maxmemory-policy noeviction, {found}")]


def scripts(patient: Patient) -> list[Line]:
    """Scripts may be run, and the event log may be read."""
    redis = patient.asked_redis
    try:
        redis.run_script()
        redis.log()
    except BusRefused as error:
        return [fault("scripts", f"Redis refuses: {error}", _RIGHTS)]
    return [ok("scripts", "scripts may be run, the event log can be read")]
