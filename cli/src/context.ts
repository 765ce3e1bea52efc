// What every command gets: where to print, whether for people or programs, a signal that aborts on Ctrl-C, a log. And the one
// place where errors become a message and an exit status.
import { constants } from "node:os";
import { delimiter } from "node:path";
import { createLogger, exitCodeOf, type Logger, type LogLevel, toAmalgamError } from "@amalgam/runtime";

export interface CommandContext {
  readonly json: boolean;
  /** True when stdout is a terminal that can be redrawn. */
  readonly live: boolean;
  readonly log: Logger;
  /** Aborts on Ctrl-C, SIGTERM or a closed terminal, and when nobody reads stdout any more. */
  readonly signal: AbortSignal;
  print(text: string): void;
  printJson(value: unknown): void;
}

/** What `runCommand` must know of a command before it runs. */
export interface CommandOptions {
  readonly json?: boolean;
  readonly logLevel?: string;
  /** Files of merge methods that are not built in. */
  readonly method?: readonly string[];
  /** How the log names this process. */
  readonly role?: string;
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** The user stopped a command; the message says what that means for what it was doing. */
class Stopped extends Error {}

/** Runs `work`; when the user stops it, `hint` is what they are told. */
export async function stoppable<T>(
  { signal }: Pick<CommandContext, "signal">,
  hint: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw signal.aborted ? new Stopped(hint, { cause: error }) : error;
  }
}

/** JSON with bigints as numbers, maps as objects. */
const plain = (_key: string, value: unknown): unknown =>
  typeof value === "bigint" ? Number(value) : value instanceof Map ? Object.fromEntries(value) : value;

/** Runs a command to its end and sets the exit status. Errors of input are one message; only a bug shows its stack. */
export async function runCommand(
  { json = false, logLevel = "error", method = [], role = "cli" }: CommandOptions,
  work: (context: CommandContext) => Promise<void>,
): Promise<void> {
  const abort = new AbortController();
  let stoppedBy: NodeJS.Signals | undefined;
  const stop = (name: NodeJS.Signals): void => {
    stoppedBy ??= name;
    abort.abort(new DOMException(`stopped by ${name}`, "AbortError"));
  };
  const interrupt = (name: NodeJS.Signals): void => {
    // A second Ctrl-C does not wait for anything.
    if (stoppedBy !== undefined) process.exit(exitStatus(stoppedBy));
    stop(name);
  };
  for (const name of SIGNALS) process.on(name, interrupt);
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    stop("SIGPIPE");
  });
  const context: CommandContext = {
    json,
    live: process.stdout.isTTY === true && process.env["TERM"] !== "dumb" && !json,
    log: createLogger({ role, level: logLevel as LogLevel }),
    signal: abort.signal,
    print: (text) => void process.stdout.write(`${text}\n`),
    printJson: (value) => void process.stdout.write(`${JSON.stringify(value, plain)}\n`),
  };
  try {
    await loadMethodFiles(method);
    await work(context);
  } catch (thrown) {
    report(thrown);
  } finally {
    for (const name of SIGNALS) process.off(name, interrupt);
  }

  function report(thrown: unknown): void {
    const { code, message, cause, stack } = toAmalgamError(thrown);
    if (stoppedBy !== undefined) {
      process.exitCode = exitStatus(stoppedBy);
      say("cancelled", thrown instanceof Stopped ? thrown.message : "stopped");
      return;
    }
    process.exitCode = exitCodeOf(thrown);
    say(code, message);
    if (code === "internal") process.stderr.write(`${(cause as Error | undefined)?.stack ?? stack}\n`);
  }

  function say(code: string, message: string): void {
    if (json) context.printJson({ error: { code, message } });
    process.stderr.write(`amalgam: ${message}\n`);
  }
}

/** Loads what the variable and the options name; processes started from here are given the same. */
async function loadMethodFiles(named: readonly string[]): Promise<void> {
  const variable = process.env["AMALGAM_METHODS"];
  if (named.length === 0 && !variable) return;
  const { loadedMethods, loadMethods } = await import("@amalgam/runtime/methods");
  await loadMethods([...(variable ?? "").split(delimiter).filter(Boolean), ...named]);
  process.env["AMALGAM_METHODS"] = loadedMethods().join(delimiter);
}

/** What a shell says of a process that a signal ended. */
const exitStatus = (name: NodeJS.Signals): number => 128 + constants.signals[name];
