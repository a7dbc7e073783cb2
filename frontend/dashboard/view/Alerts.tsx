// Alert rules and how they stand, what fired, and silences.
import { type FormEvent, useState } from "react";
import { alerts, endSilence, rules, silence, silences } from "../api";
import type { Silence } from "../shapes";
import { useDeed, useLoad } from "./hooks";
import { useList } from "./list";
import { useLocale } from "./locale";
import { More, State, Table, Trouble } from "./parts";

const EVERY_MS = 10_000;
const HOUR = 3_600;
const LENGTHS = { "15m": HOUR / 4, "1h": HOUR, "24h": 24 * HOUR, "7d": 7 * 24 * HOUR } as const;

export function Alerts() {
  const { t, f } = useLocale();
  const known = useLoad("rules", rules, EVERY_MS);
  const quiet = useLoad("silences", silences, EVERY_MS);
  const [wanted, setWanted] = useState("");
  return (
    <>
      <Trouble problem={known.problem ?? quiet.problem} onAgain={known.again} />
      <section className="panel">
        <Table caption={t.rules} testId="rules" head={[t.rule, t.words.event_status, t.severity, t.condition, t.actions]}>
          {known.value?.map((rule) => (
            <tr key={rule.name}>
              <th scope="row">{rule.name}</th>
              <td>{rule.enabled ? <State state={rule.state} /> : t.off}</td>
              <td>{rule.severity}</td>
              <td>
                {rule.metric} &gt; {f.count(rule.above)}
              </td>
              <td>
                <button type="button" onClick={() => setWanted(rule.name)} aria-label={`${t.silence}: ${rule.name}`}>
                  {t.silence}
                </button>
              </td>
            </tr>
          ))}
        </Table>
        {known.value?.length === 0 && <p className="empty">{t.noRules}</p>}
      </section>
      <Silences key={wanted} rule={wanted} list={quiet.value ?? []} onChange={quiet.again} />
      <History />
    </>
  );
}

function Silences({ rule, list, onChange }: { rule: string; list: readonly Silence[]; onChange(): void }) {
  const { t, f } = useLocale();
  const deed = useDeed(onChange);
  const add = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const given = new FormData(form);
    const word = (name: string) => String(given.get(name) ?? "").trim();
    if (await deed.run(() => silence(word("rule"), Number(word("seconds")), word("reason")))) form.reset();
  };
  const end = async (id: number) => {
    await deed.run(() => endSilence(id));
  };
  return (
    <section className="panel">
      <form className="bar" onSubmit={(event) => void add(event)}>
        <label className="field">
          <span>{t.rulePattern}</span>
          {/* Who pressed a rule's button goes on here. */}
          <input name="rule" required maxLength={64} defaultValue={rule} autoFocus={rule !== ""} data-testid="silence-rule" />
        </label>
        <label className="field">
          <span>{t.howLong}</span>
          <select name="seconds" defaultValue={HOUR}>
            {Object.entries(LENGTHS).map(([name, seconds]) => (
              <option key={name} value={seconds}>
                {t.lengths[name as keyof typeof LENGTHS]}
              </option>
            ))}
          </select>
        </label>
        <label className="field">
          <span>{t.why}</span>
          <input name="reason" maxLength={200} />
        </label>
        <button type="submit" disabled={deed.busy} data-testid="silence">
          {t.silence}
        </button>
      </form>
      <Trouble problem={deed.problem} />
      <Table caption={t.silences} testId="silences" head={[t.rule, t.until, t.why, t.madeBy, t.actions]}>
        {list.map((one) => (
          <tr key={one.id}>
            <th scope="row">{one.rule}</th>
            <td>{f.moment(one.until)}</td>
            <td>{one.reason}</td>
            <td>{one.made_by}</td>
            <td>
              <button type="button" disabled={deed.busy} onClick={() => void end(one.id)} aria-label={`${t.end}: ${one.rule}`}>
                {t.end}
              </button>
            </td>
          </tr>
        ))}
      </Table>
      {list.length === 0 && <p className="empty">{t.noSilences}</p>}
    </section>
  );
}

function History() {
  const { t, f } = useLocale();
  const list = useList("alerts", alerts, ({ id }) => id, EVERY_MS);
  return (
    <section className="panel">
      <Trouble problem={list.problem ?? list.further.problem} onAgain={list.again} />
      <Table
        caption={t.alertHistory}
        testId="alerts"
        head={[t.began, t.rule, t.words.event_status, t.severity, t.value, t.resolved]}
      >
        {list.rows?.map((alert) => (
          <tr key={alert.id}>
            <th scope="row">{f.moment(alert.fired_at ?? alert.since)}</th>
            <td>{alert.rule}</td>
            <td>
              <State state={alert.status} />
            </td>
            <td>{alert.severity}</td>
            <td>
              {f.count(alert.value)} &gt; {f.count(alert.threshold)}
            </td>
            <td>{f.moment(alert.resolved_at)}</td>
          </tr>
        ))}
      </Table>
      {list.rows?.length === 0 && <p className="empty">{t.noAlerts}</p>}
      <More next={list.next} busy={list.further.busy} onMore={list.more} />
    </section>
  );
}
