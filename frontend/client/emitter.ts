// Listeners by name; one that throws does not keep the others from hearing.

export type Listener<T> = (value: T) => void;

export class Emitter<Names extends object> {
  private readonly _listeners = new Map<keyof Names, Set<Listener<never>>>();

  on<Name extends keyof Names>(name: Name, listener: Listener<Names[Name]>): () => void {
    const set = this._listeners.get(name) ?? new Set();
    this._listeners.set(name, set.add(listener));
    return () => set.delete(listener);
  }

  emit<Name extends keyof Names>(name: Name, value: Names[Name]): void {
    for (const listener of [...(this._listeners.get(name) ?? [])]) {
      try {
        (listener as Listener<Names[Name]>)(value);
      } catch (error) {
        console.error(error);
      }
    }
  }

  clear(): void {
    this._listeners.clear();
  }
}
