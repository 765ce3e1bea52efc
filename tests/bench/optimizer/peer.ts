// Optuna and BoTorch as solvers: peers.py, asked and told by JSON lines. One Python process serves a process's searches.

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { Values } from "@amalgam/optimizer";
import type { Asked, Solver, SolverOptions } from "./solver.ts";

export const peers = ["optuna-gp", "optuna-tpe", "optuna-cmaes", "optuna-random", "botorch"] as const;
export type Peer = (typeof peers)[number];
export const isPeer = (name: string): name is Peer => (peers as readonly string[]).includes(name);

let python: ChildProcessByStdio<Writable, Readable, null> | undefined;
let replies: AsyncIterator<string> | undefined;

async function call<T>(interpreter: string, request: object): Promise<T> {
  if (python === undefined) {
    // One thread: the machine's cores belong to the searches beside this one.
    const env = { ...process.env, OMP_NUM_THREADS: "1", MKL_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1" };
    const script = join(import.meta.dirname, "peers.py");
    python = spawn(interpreter, ["-W", "ignore", script], { stdio: ["pipe", "pipe", "inherit"], env });
    replies = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
  }
  python.stdin.write(`${JSON.stringify(request)}\n`);
  const { value, done } = await replies!.next();
  if (done === true) throw new Error(`peers.py ended at ${JSON.stringify(request)}`);
  return JSON.parse(value) as T;
}

export function closePeers(): void {
  python?.stdin.end();
}

export function createPeer(interpreter: string, peer: Peer, { dimensions, goal, seed }: SolverOptions): Solver {
  const asked = new Map<number, Values>();
  const started = call(interpreter, { op: "start", solver: peer, dimensions, goal, seed });
  return {
    async ask() {
      await started;
      const answer = await call<Asked>(interpreter, { op: "ask" });
      asked.set(answer.id, answer.values);
      return answer;
    },
    async tell(id, outcome) {
      await call(interpreter, { op: "tell", id, ...outcome });
    },
    async recommend() {
      const { id } = await call<{ id: number }>(interpreter, { op: "recommend" });
      return asked.get(id)!;
    },
  };
}
