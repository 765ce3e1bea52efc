/**
 * Runs somebody else's program for a while: in a process group of its own that does not outlive the call, with the environment it is given and no
 * more, and with bounded output.
 */

import { spawn } from "node:child_process";

export interface CommandOptions {
  readonly program: string;
  readonly args: readonly string[];
  /** Its working directory. */
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
  readonly signal?: AbortSignal | undefined;
}

/** How a program ended. */
export type CommandEnd =
  | { readonly kind: "exited"; readonly code: number; readonly stdout: string; readonly stderr: string }
  | { readonly kind: "killed"; readonly by: string; readonly stderr: string }
  | { readonly kind: "not started"; readonly reason: string }
  | { readonly kind: "too slow"; readonly stderr: string }
  | { readonly kind: "too much output" };

export const maxOutputBytes: number = 16 * 2 ** 20;
/** Of what it said to people, the end is what tells why it failed. */
const stderrBytes = 4096;
/** How long output may follow the end of the program: what it left behind may hold its pipes. */
const drainMs = 1000;

/** @throws the signal's reason when it aborts; the program has ended then */
export async function runCommand(options: CommandOptions): Promise<CommandEnd> {
  const { program, args, directory, environment, timeoutSeconds, signal } = options;
  signal?.throwIfAborted();
  const child = spawn(program, [...args], {
    cwd: directory,
    env: { ...environment },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const stop = (): void => killGroup(child.pid);
  let overran: "too slow" | "too much output" | undefined;
  const end = (why: typeof overran): void => {
    overran ??= why;
    stop();
  };
  const output: Buffer[] = [];
  let outputBytes = 0;
  let errors: Buffer = Buffer.alloc(0);
  child.stdout.on("data", (data: Buffer) => {
    outputBytes += data.length;
    if (outputBytes > maxOutputBytes) end("too much output");
    else output.push(data);
  });
  child.stderr.on("data", (data: Buffer) => {
    errors = Buffer.concat([errors, data]).subarray(-stderrBytes);
  });
  const timer = setTimeout(() => end("too slow"), timeoutSeconds * 1000);
  signal?.addEventListener("abort", stop, { once: true });
  try {
    const exit = await ended(child);
    stop();
    signal?.throwIfAborted();
    if (exit.kind === "not started") return exit;
    const stderr = errors.toString("utf8").trim();
    if (overran === "too slow") return { kind: overran, stderr };
    if (overran !== undefined) return { kind: overran };
    if (exit.code === null) return { kind: "killed", by: exit.by ?? "a signal", stderr };
    return { kind: "exited", code: exit.code, stdout: Buffer.concat(output).toString("utf8"), stderr };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

type Exit =
  | { readonly kind: "ended"; readonly code: number | null; readonly by: string | null }
  | { readonly kind: "not started"; readonly reason: string };

function ended(child: ReturnType<typeof spawn>): Promise<Exit> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ kind: "not started", reason: error.message }));
    child.once("exit", (code, by) => {
      const done = (): void => resolve({ kind: "ended", code, by });
      // Children it left behind end with it, so that its pipes close.
      killGroup(child.pid);
      const drain = setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
        done();
      }, drainMs);
      child.once("close", () => {
        clearTimeout(drain);
        done();
      });
    });
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // None of it is left.
  }
}
