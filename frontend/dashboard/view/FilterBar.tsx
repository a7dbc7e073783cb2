// What is shown: range, live or not, and the filter. All of it stands in the address.
import { useEffect, useRef, useState } from "react";
import { type Filter, filtered, type FilterWord, type Range, ranges } from "../place";
import { useLocale } from "./locale";
import { useWay } from "./place";

const CHOICES = {
  event_status: ["started", "progress", "completed", "failed"],
  category: ["workflow", "realtime", "security", "audit", "monitoring", "streaming", "analytics"],
  priority: ["low", "normal", "high", "critical"],
} as const;
const TYPED = ["event_type", "session_id", "user_id", "message_id", "text"] as const;
/** Whoever types is not asked for with every letter. */
const PAUSE_MS = 400;

interface FilterBarProps {
  /** Stages to choose from. */
  stages: readonly string[];
  /** The words of the filter that this view knows. */
  words: readonly FilterWord[];
}

export function FilterBar({ stages, words }: FilterBarProps) {
  const { t } = useLocale();
  const { place, go } = useWay();
  const { filter, range, live } = place;
  const [wide] = useState(() => matchMedia("(min-width: 60rem)").matches);
  const set = (name: FilterWord, value: string) => go({ filter: filtered(filter, name, value), event: null }, true);
  const count = Object.keys(filter).length;
  const ignored = (Object.keys(filter) as FilterWord[]).filter((name) => !words.includes(name));
  return (
    <section className="filter-bar" aria-label={t.filter}>
      <div className="filter-first">
        <label className="field">
          <span>{t.range}</span>
          <select
            value={range}
            data-testid="range"
            onChange={({ target }) => go({ range: target.value as Range })}
          >
            {(Object.keys(ranges) as Range[]).map((one) => (
              <option key={one} value={one}>
                {t.ranges[one]}
              </option>
            ))}
          </select>
        </label>
        <button type="button" data-testid="live" data-live={live} onClick={() => go({ live: !live }, true)}>
          <span aria-hidden="true">{live ? "❚❚" : "▶"}</span> {live ? t.pause : t.goLive}
        </button>
        {count > 0 && (
          <button type="button" data-testid="clear" onClick={() => go({ filter: {} })}>
            {t.clear}
          </button>
        )}
      </div>
      <details open={wide || undefined}>
        <summary>{count > 0 ? `${t.filter} (${count})` : t.filter}</summary>
        <div className="filter-words">
          {TYPED.filter((name) => words.includes(name)).map((name) => (
            <Typed key={name} name={name} filter={filter} stages={stages} onSet={set} />
          ))}
          {(Object.keys(CHOICES) as (keyof typeof CHOICES)[])
            .filter((name) => words.includes(name))
            .map((name) => (
              <label key={name} className="field">
                <span>{t.words[name]}</span>
                <select
                  value={filter[name] ?? ""}
                  data-testid={`filter-${name}`}
                  onChange={({ target }) => set(name, target.value)}
                >
                  <option value="">{t.all}</option>
                  {CHOICES[name].map((one) => (
                    <option key={one} value={one}>
                      {one}
                    </option>
                  ))}
                </select>
              </label>
            ))}
        </div>
      </details>
      {ignored.length > 0 && <p className="muted">{t.notHere(ignored.map((name) => t.words[name]).join(", "))}</p>}
    </section>
  );
}

interface TypedProps {
  name: (typeof TYPED)[number];
  filter: Filter;
  stages: readonly string[];
  onSet(name: FilterWord, value: string): void;
}

function Typed({ name, filter, stages, onSet }: TypedProps) {
  const { t } = useLocale();
  const said = filter[name] ?? "";
  const [typed, setTyped] = useState(said);
  const latest = useRef(onSet);
  useEffect(() => {
    latest.current = onSet;
  });
  // A space at the end may be the beginning of the next word.
  useEffect(() => setTyped((own) => (own.trim() === said ? own : said)), [said]);
  useEffect(() => {
    if (typed.trim() === said) return undefined;
    const timer = window.setTimeout(() => latest.current(name, typed), PAUSE_MS);
    return () => window.clearTimeout(timer);
  }, [typed, said, name]);
  return (
    <label className="field">
      <span>{t.words[name]}</span>
      <input
        type="search"
        value={typed}
        maxLength={256}
        spellCheck={false}
        list={name === "event_type" ? "stages" : undefined}
        data-testid={`filter-${name}`}
        onChange={({ target }) => setTyped(target.value)}
        onKeyDown={({ key }) => {
          if (key === "Enter") onSet(name, typed);
        }}
      />
      {name === "event_type" && (
        <datalist id="stages">
          {stages.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      )}
    </label>
  );
}
