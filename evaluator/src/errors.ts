/** The evaluator's one error class: bad input (model, tokenizer, task, weights, logits) refused with every problem found. */

/**
 * Thrown for input that can never be scored, whatever the number of retries. The message is one line when there is one problem, else a
 * list. Aborts are not wrapped: they reject with the signal's reason.
 */
export class EvaluatorError extends Error {
  override readonly name = "EvaluatorError";
  /** The word that every package has for bad input. */
  readonly code = "invalid_argument";
  /** Each problem on its own: file, tensor or item first, then the rule, then what to do. */
  readonly problems: readonly string[];

  constructor(problems: string | readonly string[], options?: ErrorOptions) {
    const list = typeof problems === "string" ? [problems] : problems;
    super(
      list.length === 1 ? list[0] : `${list.length} problems:\n${list.map((line) => `  - ${line}`).join("\n")}`,
      options,
    );
    this.problems = list;
  }
}

/** The message of anything thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
