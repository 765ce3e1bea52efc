// Which worker has the inputs of a shard in memory: the home of every task on that shard.
import type { ShardTask } from "./types.ts";

export interface Homes {
  ownerOf(home: string): string | undefined;
  /** Input bytes of the homes that a worker owns. */
  bytesOf(workerId: string): number;
  /** The worker owns the home from now on, and nobody else does. */
  own(home: string, workerId: string, bytes: number): void;
  disown(gone: (home: string, workerId: string) => boolean): void;
}

export const homeOf = ({ jobId, shard }: Pick<ShardTask, "jobId" | "shard">): string => `${jobId}/${shard}`;

export function createHomes(): Homes {
  const owners = new Map<string, { readonly workerId: string; readonly bytes: number }>();
  const totals = new Map<string, number>();
  const bytesOf = (workerId: string): number => totals.get(workerId) ?? 0;
  const disown = (home: string): void => {
    const owner = owners.get(home);
    if (owner === undefined) return;
    owners.delete(home);
    const rest = bytesOf(owner.workerId) - owner.bytes;
    if (rest === 0) totals.delete(owner.workerId);
    else totals.set(owner.workerId, rest);
  };
  return {
    ownerOf: (home) => owners.get(home)?.workerId,
    bytesOf,
    own(home, workerId, bytes) {
      disown(home);
      owners.set(home, { workerId, bytes });
      totals.set(workerId, bytesOf(workerId) + bytes);
    },
    disown(gone) {
      for (const [home, { workerId }] of owners) if (gone(home, workerId)) disown(home);
    },
  };
}
