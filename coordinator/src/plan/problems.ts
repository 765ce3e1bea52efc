/** The problems of a job's inputs, all at once. Many tensors with the same problem make one line that names the first few. */

/** Thrown for inputs that cannot be merged. `code` is the job interface's word for bad input, or for sources that are out of reach. */
export class PlanProblems extends Error {
  override readonly name = "PlanProblems";
  readonly code: "invalid_argument" | "unavailable";
  /** Each names file or model, tensor, rule, and what to do. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[], code: PlanProblems["code"] = "invalid_argument") {
    const [first] = problems;
    super(
      problems.length === 1 && first !== undefined ? first : `${problems.length} problems:\n  ${problems.join("\n  ")}`,
    );
    this.problems = problems;
    this.code = code;
  }
}

const NAMED = 5;

/** Collects remarks about tensors under the sentence they share. */
export class TensorRemarks {
  readonly #tensors = new Map<string, string[]>();
  readonly #counts = new Map<string, number>();

  /** `sentence` contains `%`, which the names replace. */
  add(sentence: string, tensor: string): void {
    const named = this.#tensors.get(sentence) ?? [];
    if (named.length < NAMED) named.push(tensor);
    this.#tensors.set(sentence, named);
    this.#counts.set(sentence, (this.#counts.get(sentence) ?? 0) + 1);
  }

  /** One line for each sentence, in the order of first use. */
  lines(): string[] {
    return [...this.#tensors].map(([sentence, named]) => {
      const count = this.#counts.get(sentence) ?? 0;
      const more = count > named.length ? ` and ${count - named.length} more` : "";
      return sentence.replace("%", () => `${count === 1 ? "tensor" : `${count} tensors:`} ${named.join(", ")}${more}`);
    });
  }
}
