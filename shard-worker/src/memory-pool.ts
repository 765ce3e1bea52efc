// Shared WebAssembly memories, counted against one budget and reused: making one costs, and dropped ones are freed late.
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
   * A block for the shard `key`: the one that holds its inputs already, or a blank one of at least `bytes`. A new one is made
   * for `likelyBytes`, if that is more: memory that nothing is put into costs nothing.
   * Undefined: wait, a block that is busy now must come back first.
   * @throws AmalgamError resource_exhausted when waiting cannot help
   */
  acquire(key: string, bytes: number, likelyBytes?: number): MemoryBlock<T> | undefined;
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
  /** Upper bound of one block. */
  readonly mostBytes: number;
  /** Upper bound of all blocks together, as things are; at least `mostBytes`. */
  readonly budgetBytes: () => number;
  /** Called with what a block held when it is used for something else: whoever keeps its memory must let go of it. */
  readonly onDiscard: (contents: T) => void;
}

type Entry<T> = Omit<MemoryBlock<T>, "bytes"> & { bytes: number; key: string; state: "busy" | "resident" | "idle" };

export function createMemoryPool<T>({ mostBytes, budgetBytes, onDiscard }: MemoryPoolOptions<T>): MemoryPool<T> {
  // Least recently used first.
  const entries = new Set<Entry<T>>();

  const sum = (state?: Entry<T>["state"]): number => {
    let bytes = 0;
    for (const entry of entries) if (state === undefined || entry.state === state) bytes += entry.bytes;
    return bytes;
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
  const smallestOf = (state: Entry<T>["state"], bytes: number): Entry<T> | undefined =>
    [...entries].filter((entry) => entry.state === state && entry.bytes >= bytes).sort((a, b) => a.bytes - b.bytes)[0];
  const largestOf = (state: Entry<T>["state"]): Entry<T> | undefined =>
    [...entries].filter((entry) => entry.state === state).sort((a, b) => b.bytes - a.bytes)[0];
  const grow = (entry: Entry<T>, bytes: number): Entry<T> => {
    attempt(bytes, () => entry.memory.grow((bytes - entry.bytes) / PAGE_BYTES));
    entry.bytes = bytes;
    return entry;
  };
  const make = (key: string, bytes: number): Entry<T> => {
    const memory = attempt(bytes, () => createMemory(bytes));
    const entry: Entry<T> = { memory, bytes, contents: undefined, key, state: "busy" };
    entries.add(entry);
    return entry;
  };
  /**
   * An idle block that is large enough; else one that is made larger, since a memory that is dropped stays allocated until the
   * garbage collector finds it, which may be never; else a new one; else the block of another shard's inputs.
   */
  const find = (key: string, bytes: number, likelyBytes: number): Entry<T> | undefined => {
    const fits = smallestOf("idle", bytes);
    if (fits !== undefined) return fits;
    const room = (): number => budgetBytes() - sum();
    const idle = largestOf("idle");
    if (idle !== undefined && bytes - idle.bytes <= room()) return grow(idle, bytes);
    if (idle === undefined && likelyBytes <= room()) return make(key, likelyBytes);
    const unused = oldestResident(bytes);
    if (unused !== undefined) return unused;
    // Only now: blocks that are too small one by one, but not together.
    for (let kept = idle ?? oldestResident(0); kept !== undefined; ) {
      if (bytes - kept.bytes <= room()) return grow(kept, bytes);
      const victim = [...entries].find((entry) => entry !== kept && entry.state !== "busy");
      if (victim === undefined) return undefined;
      entries.delete(victim);
      blank(victim);
    }
    return undefined;
  };
  const oldestResident = (bytes: number): Entry<T> | undefined => {
    for (const entry of entries) if (entry.state === "resident" && entry.bytes >= bytes) return entry;
    return undefined;
  };

  return {
    acquire(key, wanted, likely = wanted) {
      const bytes = wholePages(wanted);
      for (const entry of entries) {
        if (entry.key !== key) continue;
        // Two leases on one shard share its inputs but not its work area: one after the other.
        if (entry.state === "busy") return undefined;
        if (entry.bytes >= bytes) return take(entry, key);
        blank(entry);
      }
      const limit = Math.min(mostBytes, MAX_BLOCK_BYTES);
      if (bytes > limit) {
        const cause = limit === mostBytes ? "this worker may use" : "one WebAssembly memory can have";
        const advice =
          limit === mostBytes ? "give the worker more memory or plan smaller shards" : "plan smaller shards";
        throw exhausted(`the shard needs ${bytes} bytes of memory, ${cause} ${limit}; ${advice}`);
      }
      const entry = find(
        key,
        bytes,
        Math.max(bytes, Math.min(wholePages(likely), Math.floor(limit / PAGE_BYTES) * PAGE_BYTES)),
      );
      if (entry === undefined) return undefined;
      if (entry.state === "resident") blank(entry);
      return take(entry, key);
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

const wholePages = (bytes: number): number => Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;

function attempt<T>(bytes: number, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw new AmalgamError("resource_exhausted", `cannot allocate ${bytes} bytes of shared memory`, { cause: error });
  }
}

const exhausted = (message: string): AmalgamError => new AmalgamError("resource_exhausted", message);
