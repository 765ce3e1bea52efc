// Which worker gets which waiting task: pure. A shard stays with the worker that has its inputs in memory, unless another
// would idle and taking it over evens out what they have.
import { WASM } from "@amalgam/devices/names";

/** Whether a worker can merge with a back-end: that of its device, or the one all have. */
export const canMerge = (worker: { readonly backend: string }, backend: string): boolean =>
  backend === WASM || backend === worker.backend;

export interface WaitingTask {
  readonly key: string;
  /** Tasks with the same home read the same input bytes. */
  readonly home: string;
  readonly bytes: number;
  readonly backend: string;
  /** A worker that must not get it. */
  readonly avoid?: string | undefined;
}

export interface WorkerLoad {
  readonly workerId: string;
  readonly backend: string;
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
  for (const task of tasks) {
    const { key, home, bytes } = task;
    const owner = loads.get(moved.get(home) ?? ownerOf(home) ?? "");
    let worker = owner;
    if (worker === undefined || worker.free === 0 || !suits(worker, task)) {
      worker = lightest(loads.values(), task);
      if (worker === undefined) continue;
      if (owner !== undefined) {
        if (suits(owner, task) && weight(worker, bytes) > weight(owner, -bytes)) continue;
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

const suits = (load: Load, { avoid, backend }: WaitingTask): boolean =>
  load.workerId !== avoid && canMerge(load, backend);

function lightest(loads: Iterable<Load>, task: WaitingTask): Load | undefined {
  let best: Load | undefined;
  for (const load of loads) {
    if (load.free === 0 || !suits(load, task)) continue;
    const difference = best === undefined ? -1 : weight(load, task.bytes) - weight(best, task.bytes);
    if (difference < 0 || (difference === 0 && load.workerId < best!.workerId)) best = load;
  }
  return best;
}
