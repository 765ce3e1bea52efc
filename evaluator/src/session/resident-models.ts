/** Keeps the most recently scored weight sets loaded, so that the tasks of one candidate convert its weights once. */

import type { Weights } from "../weights.ts";
import type { LoadedModel, Session } from "./session.ts";

interface Entry {
  readonly model: Promise<LoadedModel>;
  users: number;
}

export class ResidentModels {
  readonly #session: Session;
  readonly #capacity: number;
  // Weakly keyed: a loaded model must not keep alive the bytes it was converted from.
  readonly #byWeights = new WeakMap<Weights, Entry>();
  /** Least recently used first. */
  readonly #entries = new Set<Entry>();

  constructor(session: Session, capacity: number) {
    this.#session = session;
    this.#capacity = capacity;
  }

  /** Runs `work` on the loaded weights, which stay loaded at least until it settles. */
  async use<T>(weights: Weights, work: (model: LoadedModel) => Promise<T>): Promise<T> {
    const entry = this.#touch(weights);
    entry.users++;
    try {
      const model = await entry.model.catch((error) => {
        this.#entries.delete(entry);
        throw error;
      });
      return await work(model);
    } finally {
      entry.users--;
      await this.#trim();
    }
  }

  #touch(weights: Weights): Entry {
    let entry = this.#byWeights.get(weights);
    if (entry === undefined || !this.#entries.delete(entry)) {
      entry = { model: this.#session.load(weights), users: 0 };
      this.#byWeights.set(weights, entry);
    }
    this.#entries.add(entry);
    return entry;
  }

  async #trim(): Promise<void> {
    for (const entry of this.#entries) {
      if (this.#entries.size <= this.#capacity) return;
      if (entry.users > 0) continue;
      this.#entries.delete(entry);
      (await entry.model)[Symbol.dispose]();
    }
  }
}
