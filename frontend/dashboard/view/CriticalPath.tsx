// What held an answer up, in one sentence.
import { criticalShares, type Waterfall } from "../waterfall";
import { useLocale } from "./locale";

const NAMED = 3;

export function CriticalPath({ of }: { of: Waterfall }) {
  const { t, f } = useLocale();
  const shares = criticalShares(of).slice(0, NAMED);
  if (shares.length === 0) return null;
  const parts = shares.map(({ bar, share }) => `${bar.span.name ?? bar.span.event_type} ${f.share(share)}`);
  return <p className="muted">{t.criticalSays(parts.join(", "))}</p>;
}
