// Subscriptions: where events are carried to, and how that goes.
import { type FormEvent, useState } from "react";
import { sendAgain, subscribe, subscriptions, tryOut, turn, unsubscribe } from "../api";
import type { Subscription } from "../shapes";
import { useDeed, useLoad } from "./hooks";
import { Secret } from "./Keys";
import { useLocale } from "./locale";
import { Sure, Table, Trouble } from "./parts";

const EVERY_MS = 10_000;

export function Subscriptions() {
  const { t } = useLocale();
  const list = useLoad("subscriptions", subscriptions, EVERY_MS);
  const [shown, setShown] = useState<string | null>(null);
  const deed = useDeed(list.again);
  const add = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const given = new FormData(form);
    const word = (name: string) => String(given.get(name) ?? "").trim();
    const types = word("event_types").split(/[\s,]+/).filter(Boolean);
    await deed.run(async () => {
      setShown((await subscribe(word("url"), word("name"), types)).secret ?? null);
      form.reset();
    });
  };
  return (
    <>
      <section className="panel">
        <h3>{t.newSubscription}</h3>
        <form className="bar" onSubmit={(event) => void add(event)}>
          <label className="field">
            <span>{t.name}</span>
            <input name="name" required maxLength={100} />
          </label>
          <label className="field">
            <span>{t.webhook}</span>
            <input name="url" type="url" required placeholder="https://" />
          </label>
          <label className="field">
            <span>{t.typesWanted}</span>
            <input name="event_types" placeholder="document.*" />
          </label>
          <button type="submit" disabled={deed.busy}>
            {t.make}
          </button>
        </form>
        <Trouble problem={deed.problem ?? list.problem} onAgain={list.again} />
        {shown && <Secret secret={shown} onDone={() => setShown(null)} />}
      </section>
      <section className="panel">
        <SubscriptionTable list={list.value ?? []} busy={deed.busy} onChange={(work) => void deed.run(work)} />
        {list.value?.length === 0 && <p className="empty">{t.noSubscriptions}</p>}
      </section>
    </>
  );
}

interface TableProps {
  list: readonly Subscription[];
  busy: boolean;
  onChange(work: () => Promise<unknown>): void;
}

function SubscriptionTable({ list, busy, onChange }: TableProps) {
  const { t, f } = useLocale();
  return (
    <Table
      caption={t.views.subscriptions}
      testId="subscriptions"
      head={[t.name, t.receiver, t.typesWanted, t.words.event_status, t.deliveries, t.actions]}
    >
      {list.map((one) => (
        <tr key={one.id}>
          <th scope="row">{one.name}</th>
          <td className="id">{one.url ?? one.email}</td>
          <td>{one.event_types.join(", ") || t.all}</td>
          <td>{one.enabled ? (one.circuit === "open" ? t.circuitOpen(one.failures) : t.on) : t.off}</td>
          <td>
            {t.delivered(f.count(one.deliveries.delivered), f.count(one.deliveries.pending), f.count(one.deliveries.dead))}
          </td>
          <td className="deeds">
            <button type="button" disabled={busy} onClick={() => onChange(() => turn(one.id, !one.enabled))}>
              {one.enabled ? t.turnOff : t.turnOn}
            </button>
            <button type="button" disabled={busy} onClick={() => onChange(() => tryOut(one.id))}>
              {t.tryOut}
            </button>
            {one.deliveries.dead > 0 && (
              <button type="button" disabled={busy} onClick={() => onChange(() => sendAgain(one.id))}>
                {t.sendAgain}
              </button>
            )}
            <Sure sure={t.sureRemove} disabled={busy} onSure={() => onChange(() => unsubscribe(one.id))}>
              {t.remove}
            </Sure>
          </td>
        </tr>
      ))}
    </Table>
  );
}
