// One `amalgam` command in a process of its own: its output as it comes, its end, and signals to it. The real binary, from source.
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { onTestFailed, onTestFinished } from "vitest";

const MAIN = fileURLToPath(new URL("../../cli/src/main.ts", import.meta.url));
const SHOWN_CHARACTERS = 6_000;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Disposing kills it at once. When the test that started it fails, the end of its output is shown. */
export class Program implements AsyncDisposable {
  readonly name: string;
  readonly exited: Promise<Exit>;
  stdout = "";
  stderr = "";
  readonly #process: ChildProcess;
  readonly #waiting = new Set<() => void>();

  constructor(args: readonly string[], options: { readonly name?: string; readonly env?: NodeJS.ProcessEnv } = {}) {
    this.name = options.name ?? `amalgam ${args[0]}`;
    const env = { ...process.env, ...options.env };
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"], env });
    this.#process = child;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
      this.#wake();
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.exited = new Promise((resolve) => {
      child.once("close", (code, signal) => {
        resolve({ code, signal });
        this.#wake();
      });
    });
    followTest(this);
  }

  get hasExited(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** What `pick` finds in the first line of stdout, past or to come, that has it. */
  async line<T>(what: string, pick: (line: string) => T | undefined): Promise<T> {
    for (;;) {
      const complete = this.stdout.split("\n").slice(0, -1);
      for (const text of complete) {
        const found = pick(text);
        if (found !== undefined) return found;
      }
      if (this.hasExited) throw new Error(`${this.name} ended before ${what}: ${this.stdout}${this.stderr}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Address of a role started with --json, when it says that it is ready. */
  ready(): Promise<string> {
    return this.line("it was ready", (line) => {
      const { ready, address = "" } = JSON.parse(line) as { ready?: string; address?: string };
      return ready === undefined ? undefined : address;
    });
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  /** Sends the signal and resolves when the process has ended. */
  async end(name: NodeJS.Signals = "SIGKILL"): Promise<Exit> {
    this.#process.kill(name);
    return this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.hasExited) await this.end("SIGKILL");
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** A test that times out disposes of nothing itself. Programs that a whole file shares are started outside of any test. */
function followTest(program: Program): void {
  try {
    onTestFinished(() => program[Symbol.asyncDispose]());
    onTestFailed(() => {
      const tail = (text: string): string => text.slice(-SHOWN_CHARACTERS);
      process.stderr.write(
        `--- ${program.name}: stdout\n${tail(program.stdout)}\n--- stderr\n${tail(program.stderr)}\n`,
      );
    });
  } catch {
    // Not in a test.
  }
}

/** Runs a command to its end. */
export async function run(...args: string[]): Promise<Exit & { readonly stdout: string; readonly stderr: string }> {
  await using program = new Program(args);
  const exit = await program.exited;
  return { ...exit, stdout: program.stdout, stderr: program.stderr };
}
