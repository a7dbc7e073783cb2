// Everything that is known of one span.
import type { Span } from "../shapes";
import { useLocale } from "./locale";
import { Drawer, Json, State } from "./parts";
import { Go } from "./place";

export function SpanDrawer({ span, onClose }: { span: Span; onClose(): void }) {
  const { t, f } = useLocale();
  const rows: [string, string][] = [
    [t.began, f.moment(span.start)],
    [t.waiting, f.duration(span.queued_ms)],
    [t.duration, span.end !== null && span.start !== null ? f.duration(span.end - span.start) : t.open],
    [t.attemptName, f.count(span.attempt)],
    ...(span.error_type ? [[t.states["failed"] ?? "failed", span.error_type] as [string, string]] : []),
  ];
  return (
    <Drawer title={span.name ?? span.event_type} onClose={onClose}>
      <p>
        <State state={span.state} reason={span.reason} />
      </p>
      {span.sentence && <p>{span.sentence}</p>}
      <dl className="facts">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p className="links">
        {span.links?.flower && (
          <a href={span.links.flower} target="_blank" rel="noreferrer noopener">
            {t.openFlower}
          </a>
        )}
        {span.links?.trace && (
          <a href={span.links.trace} target="_blank" rel="noreferrer noopener">
            {t.openTrace}
          </a>
        )}
        {span.first_id ? <Go to={{ view: "events", event: span.first_id }}>{t.toEvent}</Go> : null}
      </p>
      <h4>{t.attributes}</h4>
      <Json value={span.attributes} />
    </Drawer>
  );
}
