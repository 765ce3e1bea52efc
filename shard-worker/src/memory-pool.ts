// Shared WebAssembly memories, counted against one budget and reused: making one costs, and the engine frees them late.
// A block is busy (a lease computes in it), resident (a shard's inputs wait for the next candidate) or idle.
import { createMemory, type SharedMemory } from "@amalgam/kernels";
import { AmalgamError } from "@amalgam/runtime";

const PAGE_BYTES = 65_536;
/** A 32-bit WebAssembly memory ends here. */
const MAX_BLOCK_BYTES = 65_536 * PAGE_BYTES;

export interface MemoryBlock<T> {
  readonly memory: SharedMemory;
  readonly bytes: number;
  /** What the pool's user keeps with the shard's inputs; undefined in a blank block. */
  contents: T | undefined;
}

export interface MemoryPool<T> {
  /**
   * A block for the shard `key`: the one that holds its inputs already, or a blank one of at least `bytes`.
   * Undefined: wait, a block that is busy now must come back first.
   * @throws AmalgamError resource_exhausted when waiting cannot help
   */
  acquire(key: string, bytes: number): MemoryBlock<T> | undefined;
  /** Contents of the resident shard `key`, if its inputs wait in memory. */
  peek(key: string): T | undefined;
  /** Gives a block back; `keep` leaves the shard's inputs in it for the next lease on the same shard. */
  release(block: MemoryBlock<T>, keep: boolean): void;
  /** Gives up the resident shards whose key begins with `prefix`. */
  forget(prefix: string): void;
  /** Bytes of all blocks, and of those that hold a shard's inputs between leases. */
  readonly totalBytes: number;
  readonly residentBytes: number;
}

export interface MemoryPoolOptions<T> {
  /** Upper bound of all blocks together. */
  readonly budgetBytes: number;
  /** Called with what a block held when it is used for something else: whoever keeps its memory must let go of it. */
  readonly onDiscard: (contents: T) => void;
}

type Entry<T> = MemoryBlock<T> & { key: string; state: "busy" | "resident" | "idle" };

export function createMemoryPool<T>({ budgetBytes, onDiscard }: MemoryPoolOptions<T>): MemoryPool<T> {
  // Least recently used first.
  const entries = new Set<Entry<T>>();

  const sum = (state?: Entry<T>["state"]): number => {
    let bytes = 0;
    for (const entry of entries) if (state === undefined || entry.state === state) bytes += entry.bytes;
    return bytes;
  };
  const oldest = (state: Entry<T>["state"]): Entry<T> | undefined => {
    for (const entry of entries) if (entry.state === state) return entry;
    return undefined;
  };
  const blank = (entry: Entry<T>): void => {
    entry.state = "idle";
    entry.key = "";
    if (entry.contents !== undefined) onDiscard(entry.contents);
    entry.contents = undefined;
  };
  const take = (entry: Entry<T>, key: string): MemoryBlock<T> => {
    entry.state = "busy";
    entry.key = key;
    entries.delete(entry);
    entries.add(entry);
    return entry;
  };
  /** The smallest idle block that is large enough, else the resident one unused for longest. */
  const reusable = (bytes: number): Entry<T> | undefined => {
    let idle: Entry<T> | undefined;
    let resident: Entry<T> | undefined;
    for (const entry of entries) {
      if (entry.bytes < bytes) continue;
      if (entry.state === "idle" && (idle === undefined || entry.bytes < idle.bytes)) idle = entry;
      if (entry.state === "resident") resident ??= entry;
    }
    return idle ?? resident;
  };
  /** Gives up blocks that are too small to be reused; false when only busy blocks are left. */
  const makeRoom = (bytes: number): boolean => {
    while (sum() + bytes > budgetBytes) {
      const victim = oldest("idle") ?? oldest("resident");
      if (victim === undefined) return false;
      entries.delete(victim);
      blank(victim);
    }
    return true;
  };

  return {
    acquire(key, wanted) {
      for (const entry of entries) {
        if (entry.key !== key) continue;
        // Two leases on one shard share its inputs but not its work area: one after the other.
        if (entry.state === "busy") return undefined;
        if (entry.bytes >= wanted) return take(entry, key);
        blank(entry);
      }
      const limit = Math.min(budgetBytes, MAX_BLOCK_BYTES);
      const needed = Math.ceil(wanted / PAGE_BYTES) * PAGE_BYTES;
      const bytes = Math.max(needed, Math.min(sizeClass(needed), limit));
      if (bytes > limit) {
        const cause = limit === budgetBytes ? "this worker may use" : "one WebAssembly memory can have";
        const advice =
          limit === budgetBytes ? "give the worker more memory or plan smaller shards" : "plan smaller shards";
        throw exhausted(`the shard needs ${bytes} bytes of memory, ${cause} ${limit}; ${advice}`);
      }
      // Idle blocks first; then, while the budget lasts, a new one; then the block of another shard's inputs.
      const known = reusable(needed);
      const isFull = sum() + bytes > budgetBytes;
      if (known !== undefined && (known.state === "idle" || isFull)) {
        if (known.state === "resident") blank(known);
        return take(known, key);
      }
      if (isFull && !makeRoom(bytes)) return undefined;
      const entry: Entry<T> = { memory: newMemory(bytes), bytes, contents: undefined, key, state: "busy" };
      entries.add(entry);
      return entry;
    },
    peek(key) {
      for (const entry of entries) if (entry.key === key && entry.state === "resident") return entry.contents;
      return undefined;
    },
    release(block, keep) {
      const entry = block as Entry<T>;
      if (keep) entry.state = "resident";
      else blank(entry);
    },
    forget(prefix) {
      for (const entry of entries) if (entry.state === "resident" && entry.key.startsWith(prefix)) blank(entry);
    },
    get totalBytes() {
      return sum();
    },
    get residentBytes() {
      return sum("resident");
    },
  };
}

/**
 * Shards of one job differ a little in size. Rounded up to one of four sizes an octave, their blocks can stand in for each
 * other, so that a stream of shards larger than the budget runs in the same few memories: a memory that is dropped stays
 * allocated until the garbage collector finds it, which may be never.
 */
function sizeClass(bytes: number): number {
  const step = Math.max(PAGE_BYTES, 2 ** (Math.floor(Math.log2(bytes)) - 2));
  return Math.ceil(bytes / step) * step;
}

function newMemory(bytes: number): SharedMemory {
  try {
    return createMemory(bytes);
  } catch (error) {
    throw new AmalgamError("resource_exhausted", `cannot allocate ${bytes} bytes of shared memory`, { cause: error });
  }
}

const exhausted = (message: string): AmalgamError => new AmalgamError("resource_exhausted", message);
