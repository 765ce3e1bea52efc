// Runs the real `amalgam` in a process of its own, for tests of commands.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Resolves when the command has ended; `stop` sends it a signal, once, as soon as its output has that text. */
export async function runCli(
  args: readonly string[],
  stop?: { readonly at: string; readonly signal: NodeJS.Signals },
): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  // A test that runs out of time leaves no process behind.
  onTestFinished(() => void child.kill("SIGKILL"));
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    const before = stdout.length - text.length;
    if (stop && stdout.includes(stop.at) && !stdout.slice(0, before).includes(stop.at)) child.kill(stop.signal);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, stdout, stderr };
}
