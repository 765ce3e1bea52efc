// Runs searches in child processes, so that one search's heap and garbage are not another's latency.

import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import type { Row } from "./rows.ts";
import type { Search } from "./worker.ts";

/** Runs all searches in `processes` processes and calls `onRow` as each ends. Throws if a process dies. */
export async function runSearches(
  searches: readonly Search[],
  processes: number,
  onRow: (row: Row) => void,
): Promise<void> {
  const waiting = [...searches];
  const work = async (): Promise<void> => {
    const first = waiting.shift();
    if (first === undefined) return;
    const child = fork(join(import.meta.dirname, "worker.ts"));
    try {
      for (let search: Search | undefined = first; search !== undefined; search = waiting.shift()) {
        onRow(await reply(child, search));
      }
    } finally {
      child.disconnect();
    }
  };
  await Promise.all(Array.from({ length: processes }, work));
}

function reply(child: ChildProcess, search: Search): Promise<Row> {
  return new Promise((resolve, reject) => {
    const died = (code: number | null): void =>
      reject(new Error(`the process of ${search.solver} on ${search.case}, seed ${search.seed}, ended with ${code}`));
    child.once("exit", died);
    child.once("message", (row) => {
      child.off("exit", died);
      resolve(row as Row);
    });
    child.send(search);
  });
}
