/**
 * Structured logs: one JSON object per line on stderr (pino). A logger is made once in main.ts and passed to whatever needs
 * it; nothing imports a global one. Secrets are removed on the way out, by field name and by shape.
 */
import { type DestinationStream, destination, pino, stdTimeFunctions } from "pino";

/** Fields first, then the message: `log.info({ shard: 3 }, "leased")`. Put errors in the field `err`. */
export interface LogMethod {
  (message: string): void;
  (fields: object, message: string): void;
}

/** What the rest of the code sees of a logger. */
export interface Logger {
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  readonly fatal: LogMethod;
  /** A logger that adds `fields` to every line. */
  child(fields: Record<string, unknown>): Logger;
}

export const LOG_LEVELS = ["debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  /** Which process speaks: coordinator, worker, evaluator, cli. */
  readonly role: string;
  /** Default "info". */
  readonly level?: LogLevel;
  /** Added to every line. */
  readonly fields?: Record<string, unknown>;
  /** Where lines go. Default: stderr, written synchronously so that a crash loses none. */
  readonly stream?: DestinationStream;
}

const SECRET_FIELDS = ["token", "password", "secret", "authorization", "apiKey"];
const SECRET_SHAPES: readonly (readonly [RegExp, string])[] = [
  [/:\/\/[^/@\s"]+@/g, "://***@"],
  [/\b(Bearer|Basic) [\w.~+/=-]+/g, "$1 ***"],
  [/\bhf_[A-Za-z0-9]{8,}/g, "hf_***"],
];

/** `text` without credentials in URLs, bearer tokens and Hub tokens. */
export function redact(text: string): string {
  return SECRET_SHAPES.reduce((clean, [shape, replacement]) => clean.replace(shape, replacement), text);
}

export function createLogger({ role, level = "info", fields = {}, stream }: LogOptions): Logger {
  return pino(
    {
      level,
      base: { role, pid: process.pid, ...fields },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_FIELDS.flatMap((name) => [name, `*.${name}`]), censor: "***" },
      hooks: { streamWrite: redact },
    },
    stream ?? destination({ dest: 2, sync: true }),
  );
}
