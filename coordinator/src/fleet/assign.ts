// Which worker gets which waiting task: pure. A shard stays with the worker that has its inputs in memory, unless another
// would idle and taking it over evens out what they have.

export interface WaitingTask {
  readonly key: string;
  /** Tasks with the same home read the same input bytes. */
  readonly home: string;
  readonly bytes: number;
  /** A worker that must not get it. */
  readonly avoid?: string | undefined;
}

export interface WorkerLoad {
  readonly workerId: string;
  /** Leases it can still take. */
  readonly free: number;
  /** Leases it takes at most, a measure of its speed; at least 1. */
  readonly slots: number;
  /** Input bytes of the homes it has. */
  readonly bytes: number;
}

export interface Assignment {
  readonly key: string;
  readonly workerId: string;
}

interface Load extends WorkerLoad {
  free: number;
  bytes: number;
}

/** Bytes per slot that a worker has with `bytes` more. */
const weight = (load: Load, bytes: number): number => (load.bytes + bytes) / load.slots;

/**
 * Assigns tasks in their order. A new home goes to the worker with free slots that has the fewest bytes per slot (ties:
 * smallest id), so that homes spread evenly. A task whose home has an owner goes to the owner; while that one is busy it
 * waits, unless a worker with free slots still has fewer bytes per slot after taking the home over: so a worker that joins
 * late gets its share, and homes do not wander between workers that have theirs.
 * @param ownerOf the worker of a home; one that is not among `workers` counts as none
 */
export function assign(
  tasks: Iterable<WaitingTask>,
  workers: Iterable<WorkerLoad>,
  ownerOf: (home: string) => string | undefined,
): Assignment[] {
  const loads = new Map<string, Load>();
  let free = 0;
  for (const worker of workers) {
    loads.set(worker.workerId, { ...worker });
    free += worker.free;
  }
  if (free === 0) return [];
  const moved = new Map<string, string>();
  const assignments: Assignment[] = [];
  for (const { key, home, bytes, avoid } of tasks) {
    const owner = loads.get(moved.get(home) ?? ownerOf(home) ?? "");
    let worker = owner;
    if (worker === undefined || worker.free === 0 || worker.workerId === avoid) {
      worker = lightest(loads.values(), bytes, avoid);
      if (worker === undefined) continue;
      if (owner !== undefined) {
        if (owner.workerId !== avoid && weight(worker, bytes) > weight(owner, -bytes)) continue;
        owner.bytes -= bytes;
      }
      worker.bytes += bytes;
      moved.set(home, worker.workerId);
    }
    worker.free--;
    assignments.push({ key, workerId: worker.workerId });
    if (--free === 0) break;
  }
  return assignments;
}

function lightest(loads: Iterable<Load>, bytes: number, avoid: string | undefined): Load | undefined {
  let best: Load | undefined;
  for (const load of loads) {
    if (load.free === 0 || load.workerId === avoid) continue;
    const difference = best === undefined ? -1 : weight(load, bytes) - weight(best, bytes);
    if (difference < 0 || (difference === 0 && load.workerId < best!.workerId)) best = load;
  }
  return best;
}
