// Where one is on the dashboard, as the address says it: the view, the filter, and what is looked at.

export const views = ["overview", "events", "sessions", "trace", "alerts", "keys", "subscriptions"] as const;

export type View = (typeof views)[number];

/** From five minutes to ninety days, with their length. */
export const ranges = {
  "5m": 300_000,
  "15m": 900_000,
  "1h": 3_600_000,
  "6h": 21_600_000,
  "24h": 86_400_000,
  "7d": 604_800_000,
  "30d": 2_592_000_000,
  "90d": 7_776_000_000,
} as const;

export type Range = keyof typeof ranges;

const WORDS = ["event_type", "event_status", "category", "priority", "session_id", "user_id", "message_id", "text"] as const;

export type FilterWord = (typeof WORDS)[number];

export type Filter = Readonly<Partial<Record<FilterWord, string>>>;

export interface Place {
  readonly view: View;
  readonly range: Range;
  /** False: what is shown stays as it is until one asks for more. */
  readonly live: boolean;
  readonly filter: Filter;
  /** The message whose trace is looked at, and the one that it is compared with. */
  readonly run: string | null;
  readonly other: string | null;
  /** The session whose runs are listed. */
  readonly session: string | null;
  /** The event whose drawer is open. */
  readonly event: number | null;
}

export const start: Place = {
  view: "overview",
  range: "1h",
  live: true,
  filter: {},
  run: null,
  other: null,
  session: null,
  event: null,
};

const LONGEST = 256;

function word(asked: URLSearchParams, name: string): string | null {
  return asked.get(name)?.trim().slice(0, LONGEST) || null;
}

/** What an address means; what it says wrongly is left out. */
export function placeOf(search: string): Place {
  const asked = new URLSearchParams(search);
  const view = views.find((one) => one === asked.get("view")) ?? start.view;
  const range = asked.get("range") ?? "";
  const found = WORDS.map((name) => [name, word(asked, name)] as const).filter(([, value]) => value !== null);
  const event = Number(word(asked, "event"));
  return {
    view,
    range: Object.hasOwn(ranges, range) ? (range as Range) : start.range,
    live: asked.get("live") !== "0",
    filter: Object.fromEntries(found) as Filter,
    run: word(asked, "run"),
    other: word(asked, "with"),
    session: word(asked, "of"),
    event: Number.isSafeInteger(event) && event > 0 ? event : null,
  };
}

/** The address of a place, without what goes without saying: "" for where one begins. */
export function searchOf(place: Place): string {
  const said = new URLSearchParams();
  if (place.view !== start.view) said.set("view", place.view);
  if (place.range !== start.range) said.set("range", place.range);
  if (!place.live) said.set("live", "0");
  for (const name of WORDS) {
    const value = place.filter[name];
    if (value) said.set(name, value);
  }
  if (place.run) said.set("run", place.run);
  if (place.other) said.set("with", place.other);
  if (place.session) said.set("of", place.session);
  if (place.event) said.set("event", String(place.event));
  const text = said.toString();
  return text && `?${text}`;
}

/** The filter with one word changed; an empty value takes it away. */
export function filtered(filter: Filter, name: FilterWord, value: string): Filter {
  const { [name]: _, ...others } = filter;
  const clean = value.trim().slice(0, LONGEST);
  return clean ? { ...others, [name]: clean } : others;
}

/** The same, as parameters of a request. */
export function asQuery(filter: Filter, more: Readonly<Record<string, string | number | null>> = {}): string {
  const said = new URLSearchParams();
  for (const [name, value] of [...Object.entries(filter), ...Object.entries(more)]) {
    if (value !== null && value !== undefined && value !== "") said.set(name, String(value));
  }
  const text = said.toString();
  return text && `?${text}`;
}

/** Another place: who goes to another view leaves behind what was looked at in this one. */
export function moved(place: Place, step: Partial<Place>): Place {
  const left = step.view !== undefined && step.view !== place.view ? { run: null, other: null, session: null, event: null } : {};
  return { ...place, ...left, ...step };
}
