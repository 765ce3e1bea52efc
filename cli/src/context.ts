// What every command gets: where to print, whether for people or programs, a signal that aborts on Ctrl-C, a log. And the one
// place where errors become a message and an exit status.
import { createLogger, exitCodeOf, type Logger, type LogLevel, toAmalgamError } from "@amalgam/runtime";

export interface CommandContext {
  readonly json: boolean;
  /** True when stdout is a terminal that can be redrawn. */
  readonly live: boolean;
  readonly log: Logger;
  /** Aborts on SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  print(text: string): void;
  printJson(value: unknown): void;
}

/** JSON with bigints as numbers, maps as objects. */
const plain = (_key: string, value: unknown): unknown =>
  typeof value === "bigint" ? Number(value) : value instanceof Map ? Object.fromEntries(value) : value;

export async function runCommand(
  options: { readonly json?: boolean; readonly logLevel?: string },
  work: (context: CommandContext) => Promise<void>,
): Promise<void> {
  const json = options.json === true;
  const abort = new AbortController();
  const interrupt = (name: NodeJS.Signals): void => {
    // A second Ctrl-C does not wait for anything.
    if (abort.signal.aborted) process.exit(130);
    abort.abort(new DOMException(`stopped by ${name}`, "AbortError"));
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  const context: CommandContext = {
    json,
    live: process.stdout.isTTY === true && !json,
    log: createLogger({ role: "cli", level: (options.logLevel ?? "error") as LogLevel }),
    signal: abort.signal,
    print: (text) => void process.stdout.write(`${text}\n`),
    printJson: (value) => void process.stdout.write(`${JSON.stringify(value, plain)}\n`),
  };
  try {
    await work(context);
  } catch (thrown) {
    const error = toAmalgamError(thrown);
    const interrupted = abort.signal.aborted;
    process.exitCode = interrupted ? 130 : exitCodeOf(error);
    const message = interrupted ? "stopped; run the same command again to go on" : error.message;
    if (json) context.printJson({ error: { code: interrupted ? "cancelled" : error.code, message } });
    process.stderr.write(`amalgam: ${message}\n`);
    if (!interrupted && error.code === "internal")
      process.stderr.write(`${(error.cause as Error | undefined)?.stack ?? error.stack}\n`);
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}
