// Which worker gets which waiting task: pure. A shard stays with the worker that has its inputs in memory.

export interface WaitingTask {
  readonly key: string;
  /** Tasks with the same home read the same input bytes. */
  readonly home: string;
  readonly bytes: number;
}

export interface WorkerLoad {
  readonly workerId: string;
  /** Leases it can still take. */
  readonly free: number;
  /** Input bytes of the homes it has. */
  readonly bytes: number;
}

export interface Assignment {
  readonly key: string;
  readonly workerId: string;
}

/**
 * Assigns tasks in their order. A task whose home has an owner waits for that owner; a new home goes to the worker
 * with free slots that owns the fewest bytes (ties: smallest id), so homes spread evenly over the workers.
 */
export function assign(
  tasks: Iterable<WaitingTask>,
  workers: Iterable<WorkerLoad>,
  owners: ReadonlyMap<string, string>,
): Assignment[] {
  const loads = new Map([...workers].map((worker) => [worker.workerId, { ...worker }]));
  const newOwners = new Map<string, string>();
  const assignments: Assignment[] = [];
  let free = 0;
  for (const load of loads.values()) free += load.free;
  for (const task of tasks) {
    if (free === 0) break;
    const owner = owners.get(task.home) ?? newOwners.get(task.home);
    let load = owner === undefined ? undefined : loads.get(owner);
    if (load === undefined) {
      for (const other of loads.values()) {
        if (other.free === 0) continue;
        const less =
          load === undefined ||
          other.bytes < load.bytes ||
          (other.bytes === load.bytes && other.workerId < load.workerId);
        if (less) load = other;
      }
      if (load === undefined) continue;
      load.bytes += task.bytes;
      newOwners.set(task.home, load.workerId);
    }
    if (load.free === 0) continue;
    load.free--;
    free--;
    assignments.push({ key: task.key, workerId: load.workerId });
  }
  return assignments;
}
