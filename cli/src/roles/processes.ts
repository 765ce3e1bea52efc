// The roles as processes on this machine: NATS, a coordinator, shard workers and an evaluator, over gRPC and JetStream on
// loopback. What a cluster runs, with one command.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { CoordinatorService } from "@amalgam/proto";
import { AmalgamError, createClient, startNatsServer } from "@amalgam/runtime";
import type { LocalRoles } from "./local.ts";

export interface ProcessesOptions {
  readonly stateDirectory: string;
  readonly workers: number;
  /** Compute threads, shared out among the workers. */
  readonly threads: number;
  readonly memoryBytes: number;
  readonly backend: string;
  /** onnxruntime's execution provider that candidates are scored on. */
  readonly provider: string;
  /** Whether tasks may run the commands that they name. */
  readonly allowCommands: boolean;
  readonly evaluates: boolean;
  readonly logLevel: string;
  readonly signal: AbortSignal;
}

/** Time for a process to drain after SIGTERM. */
const GRACE_MS = 15_000;

export async function startProcesses(options: ProcessesOptions): Promise<LocalRoles> {
  const { stateDirectory, workers, threads, memoryBytes, backend, logLevel } = options;
  await using starting = new AsyncDisposableStack();
  mkdirSync(stateDirectory, { recursive: true });
  const storeDirectory = join(stateDirectory, "nats");
  // Messages of an earlier run name processes that are gone; the journal knows what is still to be evaluated.
  rmSync(storeDirectory, { recursive: true, force: true });
  const nats = starting.use(await startNatsServer({ storeDirectory }));
  const common = ["--json", "--log-level", logLevel];
  const start = async (...args: string[]): Promise<string> => {
    const role = starting.use(new RoleProcess(args));
    return role.ready(options.signal);
  };
  const address = await start(
    "coordinator",
    ...["--listen", "127.0.0.1:0", "--state", stateDirectory, "--nats", nats.url, ...common],
  );
  const workerThreads = Math.max(1, Math.floor(threads / workers));
  const workerBytes = Math.floor(memoryBytes / workers);
  const ready: Promise<string>[] = [];
  for (let index = 1; index <= workers; index++) {
    const sizes = ["--threads", `${workerThreads}`, "--memory", `${workerBytes}B`, "--backend", backend];
    ready.push(start("worker", "--id", `worker-${index}`, "--coordinator", address, ...sizes, ...common));
  }
  if (options.evaluates) {
    const computes = ["--threads", `${threads}`, "--provider", options.provider];
    const allowed = options.allowCommands ? ["--allow-commands"] : [];
    ready.push(start("evaluator", "--id", "evaluator-1", "--nats", nats.url, ...computes, ...allowed, ...common));
  }
  await Promise.all(ready);
  const client = starting.use(createClient(CoordinatorService, address));
  const roles = starting.move();
  return { client, [Symbol.asyncDispose]: () => roles.disposeAsync() };
}

/** One `amalgam` role in a process of its own. Disposing drains it by SIGTERM, and kills it when that takes too long. */
class RoleProcess implements AsyncDisposable {
  readonly #role: string;
  readonly #process: ChildProcess;

  constructor(args: readonly string[]) {
    this.#role = args[0]!;
    const main = fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? "../main.ts" : "../main.js", import.meta.url));
    this.#process = spawn(process.execPath, [...process.execArgv, main, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
      // Ctrl-C in a terminal is for this process alone, which stops the roles one after another: each still finds its peers.
      detached: true,
    });
  }

  /** Resolves with the address the process serves on, when it says that it is ready. */
  async ready(signal: AbortSignal): Promise<string> {
    const lines = createInterface({ input: this.#process.stdout! });
    for await (const line of lines) {
      const message = JSON.parse(line) as { ready?: string; address?: string; error?: { message: string } };
      if (message.error !== undefined)
        throw new AmalgamError("failed_precondition", `${this.#role}: ${message.error.message}`);
      if (message.ready !== undefined) {
        this.#process.stdout!.resume();
        return message.address ?? "";
      }
      signal.throwIfAborted();
    }
    throw new AmalgamError("unavailable", `the ${this.#role} process ended before it was ready; its log says why`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGTERM");
    const late = setTimeout(() => this.#process.kill("SIGKILL"), GRACE_MS);
    await ended;
    clearTimeout(late);
  }
}
