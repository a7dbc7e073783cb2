// Who wants to hear which events; nothing here knows of connections, so none is forgotten when one is lost.
import { isUrgent, type SSEEvent } from "./event";

export type SSEListener = (event: SSEEvent) => unknown;

/** By hand, since a regular expression of many stars may take for ever. */
export function matches(pattern: string, type: string): boolean {
  const [first = "", ...others] = pattern.split("*");
  const last = others.pop();
  if (last === undefined) return pattern === type;
  if (type.length < first.length + last.length || !type.startsWith(first) || !type.endsWith(last)) return false;
  const middle = type.slice(first.length, type.length - last.length);
  let at = 0;
  return others.every((part) => {
    const found = middle.indexOf(part, at);
    at = found + part.length;
    return found >= 0;
  });
}

export class Listeners {
  private readonly _wishes = new Map<string, { wants: (event: SSEEvent) => boolean; who: Set<SSEListener> }>();

  onType(pattern: string, listener: SSEListener): () => void {
    return this._add(`type ${pattern}`, (event) => matches(pattern, event.type), listener);
  }

  offType(pattern: string, listener: SSEListener): void {
    this._drop(`type ${pattern}`, listener);
  }

  onCategory(category: string, listener: SSEListener): () => void {
    return this._add(`category ${category}`, ({ metadata }) => metadata.category === category, listener);
  }

  offCategory(category: string, listener: SSEListener): void {
    this._drop(`category ${category}`, listener);
  }

  onUrgent(listener: SSEListener): () => void {
    return this._add("urgent", isUrgent, listener);
  }

  get size(): number {
    return [...this._wishes.values()].reduce((sum, { who }) => sum + who.size, 0);
  }

  /** One event calls one listener once, however many of its wishes match; a listener that fails stops no other. */
  tell(event: SSEEvent): void {
    const asked = [...this._wishes.values()].filter(({ wants }) => wants(event));
    for (const listener of new Set(asked.flatMap(({ who }) => [...who]))) {
      try {
        Promise.resolve(listener(event)).catch(console.error);
      } catch (error) {
        console.error(error);
      }
    }
  }

  private _add(key: string, wants: (event: SSEEvent) => boolean, listener: SSEListener): () => void {
    const wish = this._wishes.get(key) ?? { wants, who: new Set() };
    wish.who.add(listener);
    this._wishes.set(key, wish);
    return () => this._drop(key, listener);
  }

  private _drop(key: string, listener: SSEListener): void {
    const who = this._wishes.get(key)?.who;
    who?.delete(listener);
    if (who?.size === 0) this._wishes.delete(key);
  }
}
