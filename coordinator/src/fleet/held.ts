// Which worker holds which merged shard. Volatile: rebuilt from what workers say when they connect.

export interface Held {
  readonly jobId: string;
  readonly candidateId: string;
  readonly shard: number;
  readonly workerId: string;
  readonly address: string;
  readonly sha256: string;
  readonly byteLength: number;
}

export interface HeldIndex {
  /** The newest holder of a shard is the one that is known. */
  add(held: Held): void;
  get(jobId: string, candidateId: string, shard: number): Held | undefined;
  remove(gone: (held: Held) => boolean): void;
}

export function createHeldIndex(): HeldIndex {
  const entries = new Map<string, Held>();
  const keyOf = (jobId: string, candidateId: string, shard: number): string =>
    JSON.stringify([jobId, candidateId, shard]);
  return {
    add: (held) => void entries.set(keyOf(held.jobId, held.candidateId, held.shard), held),
    get: (jobId, candidateId, shard) => entries.get(keyOf(jobId, candidateId, shard)),
    remove(gone) {
      for (const [key, held] of entries) if (gone(held)) entries.delete(key);
    },
  };
}
