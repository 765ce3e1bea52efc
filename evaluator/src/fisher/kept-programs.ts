/** Keeps the most recently used programs open: a program is opened in about the time that a few items take, and a search asks for the same ones. */

interface Entry<T> {
  readonly program: Promise<T>;
  users: number;
}

export class KeptPrograms<T extends Disposable> {
  readonly #capacity: number;
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry<T>>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Runs `work` on the program of that key, which stays open at least until it settles. */
  async use<R>(key: string, open: () => Promise<T>, work: (program: T) => Promise<R>): Promise<R> {
    const entry = this.#entries.get(key) ?? { program: open(), users: 0 };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    entry.users++;
    try {
      const program = await entry.program.catch((error) => {
        this.#entries.delete(key);
        throw error;
      });
      return await work(program);
    } finally {
      entry.users--;
      await this.#trim();
    }
  }

  async #trim(): Promise<void> {
    for (const [key, entry] of this.#entries) {
      if (this.#entries.size <= this.#capacity) return;
      if (entry.users > 0) continue;
      this.#entries.delete(key);
      (await entry.program)[Symbol.dispose]();
    }
  }
}
