/**
 * The one error class of every process, with a closed set of codes named after google.rpc.Code. What may be retried and
 * what a process exits with are functions of the code, decided here and nowhere else. Knows nothing of gRPC.
 */

/** The codes of google.rpc.Code (without OK), in lower case. */
export const ERROR_CODES = [
  "cancelled",
  "unknown",
  "invalid_argument",
  "deadline_exceeded",
  "not_found",
  "already_exists",
  "permission_denied",
  "resource_exhausted",
  "failed_precondition",
  "aborted",
  "out_of_range",
  "unimplemented",
  "internal",
  "unavailable",
  "data_loss",
  "unauthenticated",
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/**
 * A failure that was foreseen: its message is written for the person or peer who gets it. The `cause` is for logs and
 * never leaves the process.
 */
export class AmalgamError extends Error {
  override readonly name = "AmalgamError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Codes of Node's system errors that say more than "internal". */
const SYSTEM_CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: "not_found",
  ENOTDIR: "not_found",
  EEXIST: "already_exists",
  ENOTEMPTY: "already_exists",
  EACCES: "permission_denied",
  EPERM: "permission_denied",
  EROFS: "permission_denied",
  ENOSPC: "resource_exhausted",
  EDQUOT: "resource_exhausted",
  EMFILE: "resource_exhausted",
  ENFILE: "resource_exhausted",
  ENOMEM: "resource_exhausted",
  EIO: "data_loss",
  EISDIR: "invalid_argument",
  ELOOP: "invalid_argument",
  ENAMETOOLONG: "invalid_argument",
  ENXIO: "invalid_argument",
  EBUSY: "failed_precondition",
  EXDEV: "failed_precondition",
  ECONNREFUSED: "unavailable",
  ECONNRESET: "unavailable",
  EPIPE: "unavailable",
  ETIMEDOUT: "unavailable",
  EHOSTUNREACH: "unavailable",
  ENETUNREACH: "unavailable",
  ENOTFOUND: "unavailable",
  EAI_AGAIN: "unavailable",
  EADDRINUSE: "failed_precondition",
  EADDRNOTAVAIL: "failed_precondition",
  ABORT_ERR: "cancelled",
};

/** Whether `value` is one of {@link ERROR_CODES}. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return (ERROR_CODES as readonly unknown[]).includes(value);
}

/**
 * The single funnel for anything thrown. An {@link AmalgamError} passes through; an error of another package whose `code`
 * is an {@link ErrorCode} keeps code and message; aborts, timeouts and system errors get the fitting code; everything else
 * is a bug and becomes `internal`. The original is the `cause`.
 */
export function toAmalgamError(thrown: unknown): AmalgamError {
  if (thrown instanceof AmalgamError) return thrown;
  if (!(thrown instanceof Error)) return new AmalgamError("internal", String(thrown), { cause: thrown });
  return new AmalgamError(codeOf(thrown), thrown.message, { cause: thrown });
}

function codeOf(error: Error): ErrorCode {
  const code: unknown = "code" in error ? error.code : undefined;
  if (isErrorCode(code)) return code;
  if (error.name === "AbortError") return "cancelled";
  if (error.name === "TimeoutError") return "deadline_exceeded";
  return (typeof code === "string" ? SYSTEM_CODES[code] : undefined) ?? "internal";
}

/**
 * Whether the same request may succeed later without anyone changing anything. `deadline_exceeded` and `cancelled` are not
 * here: whoever set the deadline decides.
 */
export function isRetryable(code: ErrorCode): boolean {
  return code === "unavailable" || code === "aborted" || code === "resource_exhausted";
}

const MAY_PASS: ReadonlySet<ErrorCode> = new Set([
  "cancelled",
  "deadline_exceeded",
  "internal",
  "unknown",
  "data_loss",
]);

/**
 * Whether the fault lies in the request itself, its inputs or its output: repeated unchanged it fails again, so nothing of
 * it is worth keeping. What is neither this nor retryable may be a fault of the machine it happened on.
 */
export function isPermanent(code: ErrorCode): boolean {
  return !isRetryable(code) && !MAY_PASS.has(code);
}

/** Exit statuses after sysexits.h; 64 (usage) is left to whatever parses the command line. */
const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  invalid_argument: 65,
  out_of_range: 65,
  not_found: 66,
  unavailable: 69,
  unknown: 70,
  internal: 70,
  unimplemented: 70,
  already_exists: 73,
  resource_exhausted: 74,
  data_loss: 74,
  deadline_exceeded: 75,
  aborted: 75,
  permission_denied: 77,
  unauthenticated: 77,
  failed_precondition: 78,
  cancelled: 130,
};

/**
 * The exit status for what ended a process: bad input or settings 65, other input missing 66, peer unavailable 69, bug
 * 70, output taken 73, input/output 74, try again 75, no permission 77, wrong setup 78, interrupted 130.
 */
export function exitCodeOf(thrown: unknown): number {
  return EXIT_CODES[toAmalgamError(thrown).code];
}
