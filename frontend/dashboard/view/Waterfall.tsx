// A trace as bars under each other: waiting hatched, open ones growing, the critical path marked.
import type { Span, Trace } from "../shapes";
import { type Bar, waterfall } from "../waterfall";
import { CriticalPath } from "./CriticalPath";
import { useLocale } from "./locale";

interface WaterfallProps {
  trace: Trace;
  nowMs: number;
  onLook(span: Span): void;
}

const percent = (share: number): string => `${(share * 100).toFixed(3)}%`;
const HEIGHT = 18;

export function Waterfall({ trace, nowMs, onLook }: WaterfallProps) {
  const { t, f } = useLocale();
  const drawn = waterfall(trace, nowMs);
  return (
    <section className="panel waterfall" aria-label={t.waterfall}>
      <CriticalPath of={drawn} />
      <p className="legend" aria-hidden="true">
        <Sample of="wait" /> {t.waiting} <Sample of="work" /> {t.working} <Sample of="bad" /> {t.states["failed"]}{" "}
        <Sample of="critical" /> {t.critical}
      </p>
      <Hatch />
      <div className="scale" aria-hidden="true">
        <svg width="100%" height="18">
          {drawn.ticks.map(({ at, ms }) => (
            <g key={ms}>
              <line x1={percent(at)} x2={percent(at)} y1="12" y2="18" />
              <text x={percent(at)} y="10" textAnchor={at > 0.9 ? "end" : at < 0.05 ? "start" : "middle"}>
                {f.duration(ms)}
              </text>
            </g>
          ))}
        </svg>
      </div>
      <ol data-testid="waterfall" data-spans={drawn.bars.length}>
        {drawn.bars.map((bar) => (
          <Row key={bar.span.id} bar={bar} ticks={drawn.ticks.map(({ at }) => at)} onLook={onLook} />
        ))}
      </ol>
    </section>
  );
}

function Row({ bar, ticks, onLook }: { bar: Bar; ticks: readonly number[]; onLook(span: Span): void }) {
  const { t, f } = useLocale();
  const { span, depth, workMs, queueMs, critical } = bar;
  const said = [
    t.states[span.state] ?? span.state,
    ...(workMs === null ? [] : [f.duration(workMs)]),
    ...(queueMs ? [t.waited(f.duration(queueMs))] : []),
    ...(critical ? [t.critical] : []),
  ];
  return (
    <li>
      <button
        type="button"
        className="span"
        onClick={() => onLook(span)}
        data-testid="span"
        data-state={span.state}
        data-type={span.event_type}
        data-critical={critical || undefined}
      >
        <span className={`span-name depth-${Math.min(depth, 6)}`}>
          {span.name ?? span.event_type}
          {span.attempt > 1 && <small> {t.attempt(span.attempt)}</small>}
        </span>
        <span className="span-time">
          <span aria-hidden="true">{f.duration(workMs ?? queueMs)}</span>
          <span className="hidden">{said.join(", ")}</span>
        </span>
        <svg className="bar-svg" width="100%" height={HEIGHT} aria-hidden="true" focusable="false">
          {ticks.map((at) => (
            <line key={at} className="grid" x1={percent(at)} x2={percent(at)} y1="0" y2={HEIGHT} />
          ))}
          {bar.begin > bar.queued && (
            <rect className="wait" x={percent(bar.queued)} width={percent(bar.begin - bar.queued)} y="4" height="10" />
          )}
          {workMs !== null && (
            <rect className="work" x={percent(bar.begin)} width={percent(Math.max(bar.end - bar.begin, 0.002))} y="3" height="12" rx="2" />
          )}
          {critical && <rect className="path" x={percent(bar.queued)} width={percent(Math.max(bar.end - bar.queued, 0.002))} y="16" height="2" />}
        </svg>
      </button>
    </li>
  );
}

function Hatch() {
  return (
    <svg width="0" height="0" className="defs" aria-hidden="true" focusable="false">
      <defs>
        <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <rect className="hatch-line" width="2.5" height="6" />
        </pattern>
      </defs>
    </svg>
  );
}

function Sample({ of }: { of: "wait" | "work" | "bad" | "critical" }) {
  return (
    <svg width="20" height="12" className="sample">
      {of === "critical" ? (
        <rect className="path" y="8" width="20" height="3" />
      ) : (
        <rect className={of} y="1" width="20" height="10" />
      )}
    </svg>
  );
}
