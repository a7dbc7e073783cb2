// Two runs side by side, stage by stage.
import { compare, type StageTime } from "../compare";
import type { Trace } from "../shapes";
import { useLocale } from "./locale";
import { Table } from "./parts";

export function Compare({ one, other }: { one: Trace; other: Trace }) {
  const { t, f } = useLocale();
  const rows = compare(one, other);
  const longest = Math.max(1, ...rows.flatMap((row) => [row.one, row.other]).map((time) => (time ? time.workMs + time.queueMs : 0)));
  const cell = (time: StageTime | null) =>
    time ? (
      <>
        {f.duration(time.workMs)}
        {time.queueMs > 0 && <small> {t.waited(f.duration(time.queueMs))}</small>}
        {time.attempts > 1 && <small> × {time.attempts}</small>}
        <svg className="bar-svg" width="100%" height="8" aria-hidden="true">
          <rect className="wait" width={`${(time.queueMs / longest) * 100}%`} height="8" />
          <rect className="work" x={`${(time.queueMs / longest) * 100}%`} width={`${(time.workMs / longest) * 100}%`} height="8" />
        </svg>
      </>
    ) : (
      "–"
    );
  const signed = (ms: number | null): string => (ms === null ? "–" : `${ms < 0 ? "−" : "+"}${f.duration(Math.abs(ms))}`);
  return (
    <section className="panel" data-testid="comparison">
      <Table
        caption={t.comparison}
        head={[t.words.event_type, t.thisRun(f.moment(one.start)), t.otherRun(f.moment(other.start)), t.difference]}
      >
        {rows.map((row) => (
          <tr key={row.stage}>
            <th scope="row">{row.stage}</th>
            <td>{cell(row.one)}</td>
            <td>{cell(row.other)}</td>
            <td>{signed(row.differenceMs)}</td>
          </tr>
        ))}
        <tr>
          <th scope="row">{t.whole}</th>
          <td>{f.duration(one.duration_ms)}</td>
          <td>{f.duration(other.duration_ms)}</td>
          <td>{signed(one.duration_ms === null || other.duration_ms === null ? null : other.duration_ms - one.duration_ms)}</td>
        </tr>
      </Table>
    </section>
  );
}
