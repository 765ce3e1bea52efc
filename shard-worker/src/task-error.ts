// The failure of a lease where it is computed. It has the code of an AmalgamError and becomes one on the main thread; the
// runtime package itself stays out of the compute threads, which would spend a third of a second each on loading it.
import type { ErrorCode } from "@amalgam/runtime";

export class TaskError extends Error {
  override readonly name = "TaskError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export function givenUp(): TaskError {
  return new TaskError("cancelled", "the lease was given up");
}

/** Code and message of anything thrown; what was not foreseen is internal. */
export function describeFailure(thrown: unknown): { readonly code: ErrorCode; readonly message: string } {
  if (thrown instanceof TaskError) return { code: thrown.code, message: thrown.message };
  return { code: "internal", message: thrown instanceof Error ? thrown.message : String(thrown) };
}
