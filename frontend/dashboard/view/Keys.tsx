// Keys: which there are, new ones, and an end to old ones.
import { type FormEvent, useState } from "react";
import { keys, makeKey, revokeKey, rotateKey } from "../api";
import type { Key } from "../shapes";
import { useDeed, useLoad } from "./hooks";
import { useLocale } from "./locale";
import { Copy, State, Sure, Table, Trouble } from "./parts";

const SCOPES = ["chat:write", "events:read", "events:write", "admin"] as const;

export function Keys() {
  const { t } = useLocale();
  const list = useLoad("keys", keys);
  const [shown, setShown] = useState<Key | null>(null);
  const deed = useDeed(list.again);
  const add = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const given = new FormData(form);
    const user = String(given.get("user_id")).trim();
    const key = { name: String(given.get("name")).trim(), scopes: given.getAll("scope").map(String) };
    await deed.run(async () => {
      setShown(await makeKey(user ? { ...key, user_id: user } : key));
      form.reset();
    });
  };
  return (
    <>
      <section className="panel">
        <h3>{t.newKey}</h3>
        <form className="bar" onSubmit={(event) => void add(event)}>
          <label className="field">
            <span>{t.name}</span>
            <input name="name" required maxLength={100} data-testid="key-name" />
          </label>
          <fieldset>
            <legend>{t.scopes}</legend>
            {SCOPES.map((scope, at) => (
              <label key={scope}>
                <input type="checkbox" name="scope" value={scope} defaultChecked={at < 2} /> {scope}
              </label>
            ))}
          </fieldset>
          <label className="field">
            <span>{t.onlyUser}</span>
            <input name="user_id" maxLength={128} />
          </label>
          <button type="submit" disabled={deed.busy} data-testid="make-key">
            {t.make}
          </button>
        </form>
        <Trouble problem={deed.problem ?? list.problem} onAgain={list.again} />
        {shown?.key && <Secret secret={shown.key} onDone={() => setShown(null)} />}
      </section>
      <section className="panel">
        <KeyTable
          list={list.value ?? []}
          busy={deed.busy}
          onRotate={(id) => void deed.run(async () => setShown(await rotateKey(id)))}
          onRevoke={(id) => void deed.run(() => revokeKey(id))}
        />
      </section>
    </>
  );
}

/** A secret is shown once: nobody can ask for it again. */
export function Secret({ secret, onDone }: { secret: string; onDone(): void }) {
  const { t } = useLocale();
  return (
    <div className="secret" role="status">
      <p>{t.secretOnce}</p>
      <p>
        <code data-testid="secret">{secret}</code> <Copy text={secret} />{" "}
        <button type="button" onClick={onDone}>
          {t.done}
        </button>
      </p>
    </div>
  );
}

interface KeyTableProps {
  list: readonly Key[];
  busy: boolean;
  onRotate(id: string): void;
  onRevoke(id: string): void;
}

function KeyTable({ list, busy, onRotate, onRevoke }: KeyTableProps) {
  const { t, f } = useLocale();
  const over = ({ revoked_at, expires_at }: Key): string | null =>
    revoked_at ? "revoked" : expires_at && Date.parse(expires_at) <= Date.now() ? "expired" : null;
  return (
    <Table
      caption={t.views.keys}
      testId="keys"
      head={[t.name, t.words.event_status, t.scopes, t.words.user_id, t.made, t.lastUsed, t.expires, t.actions]}
    >
      {list.map((key) => (
        <tr key={key.id}>
          <th scope="row">
            {key.name} <small className="id">{key.id}</small>
          </th>
          <td>
            <State state={over(key) ?? "lives"} />
          </td>
          <td>{key.scopes.join(", ")}</td>
          <td className="id">{key.user_id}</td>
          <td>{f.moment(key.created_at)}</td>
          <td>{f.moment(key.last_used_at)}</td>
          <td>{f.moment(key.expires_at)}</td>
          <td className="deeds">
            {!over(key) && (
              <>
                <button type="button" disabled={busy} onClick={() => onRotate(key.id)} aria-label={`${t.rotate}: ${key.name}`}>
                  {t.rotate}
                </button>
                <Sure sure={t.sureRevoke(key.name)} disabled={busy} onSure={() => onRevoke(key.id)}>
                  {t.revoke}
                </Sure>
              </>
            )}
          </td>
        </tr>
      ))}
    </Table>
  );
}
