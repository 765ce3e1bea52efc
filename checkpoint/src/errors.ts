// The one error of this package: a file, a tensor if there is one, the rule that was broken and what to do about it.
// Permanent by nature: reading the same bytes again gives the same error. `code` carries the system's errno when there is one,
// else a word that every package has.

/** The parts a {@link CheckpointError} message is made of. */
export interface CheckpointErrorInit {
  /** Path or name of the file at fault, as the user would write it. */
  readonly file: string;
  readonly tensor?: string;
  /** What must hold, and what was found instead. */
  readonly rule: string;
  /** What the user can do next. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Instead of the code of `cause`. */
  readonly code?: "already_exists" | "not_found" | "permission_denied" | "failed_precondition" | "unavailable";
}

export class CheckpointError extends Error {
  override name = "CheckpointError";
  readonly file: string;
  readonly tensor: string | undefined;
  readonly rule: string;
  readonly hint: string | undefined;
  /** errno name (`ENOSPC`, `EIO`, `ENOENT`, ...) when the operating system refused, what a server's refusal means, `already_exists` for a taken output, else `invalid_argument`. */
  readonly code: string;

  constructor(init: CheckpointErrorInit, message: string = composeMessage(init)) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause });
    this.file = init.file;
    this.tensor = init.tensor;
    this.rule = init.rule;
    this.hint = init.hint;
    this.code = init.code ?? errnoOf(init.cause) ?? "invalid_argument";
  }
}

// A hostile file can break every rule once per tensor; a person reads the first few.
const maxListed = 50;

/** Several problems found in one go; the message lists them (the first 50), `problems` holds all that were kept. */
export class CheckpointProblems extends CheckpointError {
  override name = "CheckpointProblems";
  readonly problems: readonly CheckpointError[];

  constructor(problems: readonly CheckpointError[]) {
    const lines = problems.slice(0, maxListed).map((problem) => `  ${problem.message}`);
    if (problems.length > maxListed) lines.push(`  ... and ${problems.length - maxListed} more`);
    const rule = `${problems.length} problems`;
    super({ file: problems[0]?.file ?? "", rule }, `${rule}:\n${lines.join("\n")}`);
    this.problems = problems;
  }
}

/** Returns when there is no problem, throws the only one, or all of them as {@link CheckpointProblems}. */
export function throwProblems(problems: readonly CheckpointError[]): void {
  if (problems.length === 1) throw problems[0];
  if (problems.length > 1) throw new CheckpointProblems(problems);
}

/** The single problems inside a caught error; anything that is not a CheckpointError is thrown on. */
export function problemsOf(error: unknown): readonly CheckpointError[] {
  if (error instanceof CheckpointProblems) return error.problems;
  if (error instanceof CheckpointError) return [error];
  throw error;
}

/** True when a disk (or quota) is full: a condition to wait out, not a fault of the input. */
export function isDiskFull(error: unknown): boolean {
  const code = error instanceof CheckpointError ? error.code : errnoOf(error);
  return code === "ENOSPC" || code === "EDQUOT";
}

/** A name from an untrusted file, safe to print: quoted, control characters escaped, cut at 200 characters. */
export function quoteName(name: string): string {
  const cut = name.length > 200 ? `${name.slice(0, 200)}...` : name;
  return JSON.stringify(cut).replace(/[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

function errnoOf(cause: unknown): string | undefined {
  if (cause instanceof CheckpointError) return cause.code;
  if (!(cause instanceof Error) || !("code" in cause)) return undefined;
  return typeof cause.code === "string" ? cause.code : undefined;
}

function composeMessage(init: CheckpointErrorInit): string {
  const where = init.tensor === undefined ? init.file : `${init.file}: tensor ${quoteName(init.tensor)}`;
  return `${where}: ${init.rule}${init.hint === undefined ? "" : ` (${init.hint})`}`;
}
