// The trace of one message, live while it runs, alone or beside another.
import { useEffect, useId, useRef, useState } from "react";
import { useNow } from "../../app/view/hooks";
import { runs, trace } from "../api";
import type { Span, Trace } from "../shapes";
import { isOpen } from "../waterfall";
import { Compare } from "./Compare";
import { useLoad } from "./hooks";
import { useStream } from "./live";
import { useLocale } from "./locale";
import { State, Trouble } from "./parts";
import { Go, useWay } from "./place";
import { SpanDrawer } from "./SpanDrawer";
import { Waterfall } from "./Waterfall";

export function TracePage() {
  const { t } = useLocale();
  const { place } = useWay();
  if (place.run === null) return <p className="empty">{t.noRun}</p>;
  return <OneTrace key={place.run} run={place.run} />;
}

/** Asked again by itself, should an event of the run not be heard. */
const EVERY_MS = 3_000;

/** The trace of a message, and by how much the server's clock is ahead. */
function useTrace(run: string) {
  const [open, setOpen] = useState(true);
  const loaded = useLoad(`trace ${run}`, async () => ({ trace: await trace(run), askedAt: Date.now() }), open ? EVERY_MS : null);
  const { value, again } = loaded;
  useEffect(() => {
    if (value) setOpen(value.trace.open);
  }, [value]);
  useStream(open, (events) => {
    if (events.some(({ metadata }) => metadata["message_id"] === run)) again();
  });
  return { ...loaded, trace: value?.trace ?? null, aheadMs: value ? value.trace.now - value.askedAt : 0 };
}

function OneTrace({ run }: { run: string }) {
  const { t } = useLocale();
  const { place } = useWay();
  const { trace: found, aheadMs, problem, again } = useTrace(run);
  const now = useNow(found?.open ?? false);
  const [looked, setLooked] = useState<Span | null>(null);
  if (!found) return <Trouble problem={problem} onAgain={again} />;
  const nowMs = found.open ? Math.max(found.now, now + aheadMs) : found.now;
  return (
    <>
      <p className="crumbs">
        <Go to={{ view: "sessions" }}>{t.allSessions}</Go> ›{" "}
        <Go to={{ view: "sessions", session: found.session_id }}>
          <span className="id">{found.session_id}</span>
        </Go>{" "}
        › <span className="id">{run}</span>
      </p>
      <Trouble problem={problem} onAgain={again} />
      <Summary trace={found} nowMs={nowMs} />
      {!found.whole && <p className="muted">{t.notWhole}</p>}
      <Waterfall trace={found} nowMs={nowMs} onLook={setLooked} />
      {looked && (
        <SpanDrawer
          span={found.spans.find(({ id }) => id === looked.id) ?? looked}
          onClose={() => setLooked(null)}
        />
      )}
      <CompareWith trace={found} />
      {place.other !== null && <Beside key={place.other} one={found} other={place.other} />}
    </>
  );
}

function Summary({ trace: { status, reason, start, duration_ms, open, links, message_id, spans }, nowMs }: SummaryProps) {
  const { t, f } = useLocale();
  const tookMs = open ? nowMs - (start ?? nowMs) : duration_ms;
  return (
    <div className="bar" data-testid="trace" data-open={open} data-status={status}>
      <p>
        <State state={status} reason={reason} />
      </p>
      <p>
        {t.duration}: <b>{f.duration(tookMs)}</b>
      </p>
      <p>
        {t.began}: {f.moment(start)}
      </p>
      <p>{t.spans(spans.length, spans.filter(isOpen).length)}</p>
      <Go to={{ view: "events", filter: { message_id }, range: "90d" }}>{t.toEvents}</Go>
      {links?.trace && (
        <a href={links.trace} rel="noreferrer noopener" target="_blank">
          {t.openTrace}
        </a>
      )}
    </div>
  );
}

interface SummaryProps {
  trace: Trace;
  nowMs: number;
}

function CompareWith({ trace: { session_id, message_id } }: { trace: Trace }) {
  const { t, f } = useLocale();
  const { place, go } = useWay();
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  const { value } = useLoad(`others ${session_id}`, () => runs(session_id, null));
  return (
    <form
      className="bar compare-with"
      onSubmit={(event) => {
        event.preventDefault();
        go({ other: input.current?.value.trim() || null });
      }}
    >
      <label className="field">
        <span>{t.compareWith}</span>
        <input ref={input} list={id} defaultValue={place.other ?? ""} maxLength={64} data-testid="compare-with" />
      </label>
      <datalist id={id}>
        {value?.rows
          .filter((one) => one.message_id !== message_id)
          .map((one) => (
            <option key={one.message_id} value={one.message_id} label={`${f.moment(one.created_at)} · ${f.duration(one.duration_ms)}`} />
          ))}
      </datalist>
      <button type="submit" data-testid="compare">
        {t.compare}
      </button>
      {place.other !== null && (
        <button type="button" onClick={() => go({ other: null })}>
          {t.clear}
        </button>
      )}
    </form>
  );
}

function Beside({ one, other }: { one: Trace; other: string }) {
  const { trace: found, problem, again } = useTrace(other);
  return (
    <>
      <Trouble problem={problem} onAgain={again} />
      {found && <Compare one={one} other={found} />}
    </>
  );
}
