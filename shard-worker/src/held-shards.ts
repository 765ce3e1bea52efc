// Merged shards kept in memory until the coordinator drops them, found by digest. Two candidates that merge to the same
// bytes share them.

export interface HeldShard {
  readonly jobId: string;
  readonly shard: number;
  readonly candidateId: string;
  /** Hex digest of `bytes`. */
  readonly sha256: string;
  readonly byteLength: number;
}

export interface HeldShards {
  hold(shard: Omit<HeldShard, "byteLength">, bytes: Uint8Array): void;
  find(jobId: string, shard: number, sha256: string): Uint8Array | undefined;
  drop(jobId: string, candidateIds: readonly string[]): void;
  forget(jobId: string): void;
  list(): HeldShard[];
  readonly bytes: number;
}

interface Entry {
  readonly jobId: string;
  readonly shard: number;
  readonly sha256: string;
  readonly bytes: Uint8Array;
  readonly candidateIds: Set<string>;
}

export function createHeldShards(): HeldShards {
  const entries = new Map<string, Entry>();
  let total = 0;
  const keyOf = (jobId: string, shard: number, sha256: string): string => JSON.stringify([jobId, shard, sha256]);
  const remove = (key: string, entry: Entry): void => {
    entries.delete(key);
    total -= entry.bytes.byteLength;
  };
  return {
    hold({ jobId, shard, candidateId, sha256 }, bytes) {
      const key = keyOf(jobId, shard, sha256);
      const known = entries.get(key);
      if (known !== undefined) {
        known.candidateIds.add(candidateId);
        return;
      }
      entries.set(key, { jobId, shard, sha256, bytes, candidateIds: new Set([candidateId]) });
      total += bytes.byteLength;
    },
    find: (jobId, shard, sha256) => entries.get(keyOf(jobId, shard, sha256))?.bytes,
    drop(jobId, candidateIds) {
      for (const [key, entry] of entries) {
        if (entry.jobId !== jobId) continue;
        for (const id of candidateIds) entry.candidateIds.delete(id);
        if (entry.candidateIds.size === 0) remove(key, entry);
      }
    },
    forget(jobId) {
      for (const [key, entry] of entries) if (entry.jobId === jobId) remove(key, entry);
    },
    list() {
      return [...entries.values()].flatMap(({ jobId, shard, sha256, bytes, candidateIds }) =>
        [...candidateIds].map((candidateId) => ({ jobId, shard, candidateId, sha256, byteLength: bytes.byteLength })),
      );
    },
    get bytes() {
      return total;
    },
  };
}
