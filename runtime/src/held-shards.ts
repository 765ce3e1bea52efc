// Shards kept until nobody needs them, found by digest: merged ones by workers, estimated ones by evaluators. Two candidates with the same bytes
// share them. Beyond the memory set aside for them, shards go to unnamed temporary files: nothing is left behind by a crash.
import { createSpillFile, type SpillFile } from "./spill-file.ts";

export interface HeldShard {
  readonly jobId: string;
  readonly shard: number;
  readonly candidateId: string;
  /** Hex digest of the bytes. */
  readonly sha256: string;
  readonly byteLength: number;
}

/** Disposing closes the temporary files. */
export interface HeldShards extends AsyncDisposable {
  /** @throws AmalgamError resource_exhausted when neither memory nor the temporary directory has room */
  hold(shard: Omit<HeldShard, "byteLength">, bytes: Uint8Array): Promise<void>;
  /** The bytes of a shard in pieces, or undefined when it is not held. A shard dropped meanwhile is still read to its end. */
  read(jobId: string, shard: number, sha256: string, chunkBytes: number): AsyncIterable<Uint8Array> | undefined;
  /** Lets go of what is held for these candidates: of one shard, or of all. */
  drop(jobId: string, candidateIds: readonly string[], shard?: number): void;
  forget(jobId: string): void;
  list(): HeldShard[];
  readonly memoryBytes: number;
  readonly fileBytes: number;
}

export interface HeldShardsOptions {
  /** Bytes kept in memory. */
  readonly memoryBytes: number;
  /** Where shards go that do not fit. */
  readonly spillDirectory: string;
}

interface Entry {
  readonly jobId: string;
  readonly shard: number;
  readonly sha256: string;
  readonly bytes: Uint8Array | SpillFile;
  readonly candidateIds: Set<string>;
}

export function createHeldShards({ memoryBytes: limit, spillDirectory }: HeldShardsOptions): HeldShards {
  const entries = new Map<string, Entry>();
  let inMemory = 0;
  let inFiles = 0;
  const keyOf = (jobId: string, shard: number, sha256: string): string => JSON.stringify([jobId, shard, sha256]);

  const keep = async (bytes: Uint8Array): Promise<Uint8Array | SpillFile> => {
    if (inMemory + bytes.byteLength <= limit) {
      inMemory += bytes.byteLength;
      return bytes;
    }
    const file = await createSpillFile(spillDirectory, bytes);
    inFiles += bytes.byteLength;
    return file;
  };
  const discard = (bytes: Uint8Array | SpillFile): void => {
    if (bytes instanceof Uint8Array) {
      inMemory -= bytes.byteLength;
    } else {
      inFiles -= bytes.byteLength;
      bytes.release();
    }
  };
  const remove = (gone: (entry: Entry) => boolean): void => {
    for (const [key, entry] of entries) {
      if (!gone(entry)) continue;
      entries.delete(key);
      discard(entry.bytes);
    }
  };

  return {
    async hold({ jobId, shard, candidateId, sha256 }, bytes) {
      const key = keyOf(jobId, shard, sha256);
      const share = (): boolean => entries.get(key)?.candidateIds.add(candidateId) !== undefined;
      if (share()) return;
      const kept = await keep(bytes);
      // Another candidate may have brought the same bytes meanwhile.
      if (share()) discard(kept);
      else entries.set(key, { jobId, shard, sha256, bytes: kept, candidateIds: new Set([candidateId]) });
    },
    drop(jobId, candidateIds, shard) {
      remove((entry) => {
        if (entry.jobId !== jobId || (shard !== undefined && entry.shard !== shard)) return false;
        for (const id of candidateIds) entry.candidateIds.delete(id);
        return entry.candidateIds.size === 0;
      });
    },
    read(jobId, shard, sha256, chunkBytes) {
      const bytes = entries.get(keyOf(jobId, shard, sha256))?.bytes;
      if (bytes === undefined) return undefined;
      return bytes instanceof Uint8Array ? memoryChunks(bytes, chunkBytes) : bytes.chunks(chunkBytes);
    },
    forget: (jobId) => remove((entry) => entry.jobId === jobId),
    list() {
      return [...entries.values()].flatMap(({ jobId, shard, sha256, bytes, candidateIds }) =>
        [...candidateIds].map((candidateId) => ({ jobId, shard, candidateId, sha256, byteLength: bytes.byteLength })),
      );
    },
    get memoryBytes() {
      return inMemory;
    },
    get fileBytes() {
      return inFiles;
    },
    async [Symbol.asyncDispose]() {
      remove(() => true);
    },
  };
}

async function* memoryChunks(bytes: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.byteLength; offset += chunkBytes)
    yield bytes.subarray(offset, offset + chunkBytes);
}
