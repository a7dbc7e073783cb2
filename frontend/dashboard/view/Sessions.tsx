// Sessions, and the runs of one of them.
import { useEffect, useState } from "react";
import { runs, sessions } from "../api";
import { useLocale } from "./locale";
import { useList } from "./list";
import { More, State, Table, Trouble } from "./parts";
import { Go, useWay } from "./place";

const EVERY_MS = 5_000;
const PAUSE_MS = 400;

export function Sessions() {
  const { place } = useWay();
  return place.session === null ? <SessionList /> : <Runs session={place.session} />;
}

function SessionList() {
  const { t, f } = useLocale();
  const { place } = useWay();
  const [typed, setTyped] = useState("");
  const [wanted, setWanted] = useState("");
  useEffect(() => {
    const timer = window.setTimeout(() => setWanted(typed.trim()), PAUSE_MS);
    return () => window.clearTimeout(timer);
  }, [typed]);
  const list = useList(
    `sessions ${wanted}`,
    (before) => sessions(wanted, before),
    ({ session_id }) => session_id,
    place.live ? EVERY_MS : null,
  );
  return (
    <>
      <label className="field search">
        <span>{t.findSession}</span>
        <input type="search" value={typed} maxLength={256} onChange={({ target }) => setTyped(target.value)} />
      </label>
      <Trouble problem={list.problem ?? list.further.problem} onAgain={list.again} />
      {list.rows && (
        <section className="panel">
          <Table
            caption={t.views.sessions}
            hideCaption
            testId="sessions"
            head={[t.words.session_id, t.words.user_id, t.runs, t.words.event_status, t.lastActive, t.began]}
          >
            {list.rows.map((row) => (
              <tr key={row.session_id}>
                <th scope="row" className="id">
                  <Go to={{ session: row.session_id }} testId="session">
                    {row.session_id}
                  </Go>
                </th>
                <td className="id">{row.user_id ?? row.owner}</td>
                <td>{f.count(row.runs)}</td>
                <td>
                  <State state={row.last_status} />
                </td>
                <td>{f.moment(row.updated_at)}</td>
                <td>{f.moment(row.created_at)}</td>
              </tr>
            ))}
          </Table>
          {list.rows.length === 0 && <p className="empty">{t.noSessions}</p>}
          <More next={list.next} busy={list.further.busy} onMore={list.more} />
        </section>
      )}
    </>
  );
}

function Runs({ session }: { session: string }) {
  const { t, f } = useLocale();
  const { place } = useWay();
  const list = useList(
    `runs ${session}`,
    (before) => runs(session, before),
    ({ message_id }) => message_id,
    place.live ? EVERY_MS : null,
  );
  return (
    <>
      <p className="crumbs">
        <Go to={{ session: null }}>{t.allSessions}</Go> › <span className="id">{session}</span>
      </p>
      <p className="links">
        <Go to={{ view: "events", filter: { session_id: session }, range: "90d" }}>{t.toEvents}</Go>
      </p>
      <Trouble problem={list.problem ?? list.further.problem} onAgain={list.again} />
      {list.rows && (
        <section className="panel">
          <Table
            caption={t.runsOf(session)}
            hideCaption
            testId="runs"
            head={[t.began, t.words.event_status, t.duration, t.message]}
          >
            {list.rows.map((run) => (
              <tr key={run.message_id}>
                <th scope="row">
                  <Go to={{ view: "trace", run: run.message_id }} testId="run">
                    {f.moment(run.created_at)}
                  </Go>
                </th>
                <td>
                  <State state={run.status} reason={run.reason} />
                </td>
                <td>{f.duration(run.duration_ms)}</td>
                <td className="id">{run.message_id}</td>
              </tr>
            ))}
          </Table>
          {list.rows.length === 0 && <p className="empty">{t.noRuns}</p>}
          <More next={list.next} busy={list.further.busy} onMore={list.more} />
        </section>
      )}
    </>
  );
}
