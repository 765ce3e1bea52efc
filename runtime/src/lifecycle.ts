/**
 * A process from its start to its exit status: signals become an AbortSignal, resources are released in reverse order,
 * failures are reported once. What main.ts runs in, and the only code that ends the process.
 */
import { constants } from "node:os";
import { AmalgamError, exitCodeOf, toAmalgamError } from "./errors.ts";
import { redact } from "./log.ts";

/** Where main puts what must be released: `scope.use(await serve(...))`. Released last in, first out. */
export type Scope = AsyncDisposableStack;

export interface ProcessOptions {
  /** After the first signal, how long main and the scope may take to end before the process is ended. Default 10 000. */
  readonly graceMs?: number;
  /** Told once of what made the process fail. Default: one line on stderr. */
  readonly report?: (error: AmalgamError) => void;
}

/**
 * Runs `main` and exits with what it returns (default 0), or with {@link exitCodeOf} of what it throws. On SIGTERM or
 * SIGINT `signal` aborts; a main that then returns exits as it says, one that throws because of it exits with 128 plus the
 * signal's number (130 for Ctrl-C). A second signal exits at once. A rejection or exception that nobody handled ends the
 * process with 70, after the scope was released.
 */
export async function runProcess(
  main: (scope: Scope, signal: AbortSignal) => Promise<number> | Promise<void>,
  { graceMs = 10_000, report = reportToStderr }: ProcessOptions = {},
): Promise<never> {
  const stop = new AbortController();
  let received: "SIGTERM" | "SIGINT" | undefined;
  const statusOfSignal = () => (received === undefined ? 70 : 128 + constants.signals[received]);
  const exitAfterGrace = () =>
    setTimeout(() => {
      report(new AmalgamError("deadline_exceeded", `not stopped within ${graceMs} ms; exiting without it`));
      process.exit(statusOfSignal());
    }, graceMs).unref();

  const onSignal = (name: NodeJS.Signals) => {
    if (received !== undefined) process.exit(statusOfSignal());
    received = name as "SIGTERM" | "SIGINT";
    exitAfterGrace();
    stop.abort(new AmalgamError("cancelled", `stopped by ${name}`));
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  const unhandled = Promise.withResolvers<never>();
  let status = 0;
  let mainEnded = false;
  const onUnhandled = (thrown: unknown) => {
    const error = new AmalgamError("internal", `unhandled: ${toAmalgamError(thrown).message}`, { cause: thrown });
    if (mainEnded) status = Math.max(status, fail(error));
    else unhandled.reject(error);
  };
  process.on("uncaughtException", onUnhandled);
  process.on("unhandledRejection", onUnhandled);

  const fail = (thrown: unknown): number => {
    const error = toAmalgamError(thrown);
    if (stop.signal.aborted && error.code === "cancelled") return statusOfSignal();
    report(error);
    return exitCodeOf(error);
  };
  const scope = new AsyncDisposableStack();
  try {
    status = (await Promise.race([main(scope, stop.signal), unhandled.promise])) ?? 0;
  } catch (thrown) {
    status = fail(thrown);
    // Whatever of main still runs should end as well.
    if (!stop.signal.aborted) {
      exitAfterGrace();
      stop.abort(toAmalgamError(thrown));
    }
  }
  mainEnded = true;
  try {
    await scope.disposeAsync();
  } catch (thrown) {
    status = Math.max(status, fail(thrown));
  }
  process.exit(status);
}

/** Resolves when `signal` aborts: what the main of a server waits for. Keeps the process alive until then. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const keepAlive = setInterval(() => {}, 2 ** 30);
    const end = () => {
      clearInterval(keepAlive);
      resolve();
    };
    signal.addEventListener("abort", end, { once: true });
  });
}

function reportToStderr(error: AmalgamError): void {
  const text = error.code === "internal" ? stackOf(error) : error.message;
  process.stderr.write(`amalgam: ${redact(text)}\n`);
}

/** A bug is reported with where it happened. */
function stackOf(error: AmalgamError): string {
  const origin = error.cause instanceof Error ? error.cause : error;
  return `${error.message}\n${origin.stack ?? ""}`;
}
