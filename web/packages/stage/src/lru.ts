// A map that forgets what was used longest ago, when the sizes of its values exceed a limit.

export class Lru<Value> {
  #values = new Map<string, { value: Value; size: number }>();
  #size = 0;

  constructor(private readonly sizeMax: number) {}

  get size(): number {
    return this.#size;
  }

  get length(): number {
    return this.#values.size;
  }

  get(key: string): Value | undefined {
    const found = this.#values.get(key);
    if (!found) return undefined;
    this.#values.delete(key);
    this.#values.set(key, found);
    return found.value;
  }

  set(key: string, value: Value, size: number): void {
    this.delete(key);
    this.#values.set(key, { value, size });
    this.#size += size;
    for (const oldest of this.#values.keys()) {
      if (this.#size <= this.sizeMax) return;
      if (oldest !== key) this.delete(oldest);
    }
  }

  delete(key: string): void {
    this.#size -= this.#values.get(key)?.size ?? 0;
    this.#values.delete(key);
  }

  clear(): void {
    this.#values.clear();
    this.#size = 0;
  }
}
