/** The problems of a recipe, all at once and each with its line, and the nearest-name suggestions they make. */
import { nearest } from "@amalgam/runtime";

export { nearest };

export interface RecipeProblem {
  /** 1-based line of the recipe, where the problem has one. */
  readonly line?: number;
  /** What is wrong, which rule, what to do. */
  readonly message: string;
}

/** Thrown for a recipe that cannot be a job, with every problem found. `code` is the job interface's word for bad input. */
export class RecipeProblems extends Error {
  override readonly name = "RecipeProblems";
  readonly code = "invalid_argument";
  readonly fileName: string;
  readonly problems: readonly RecipeProblem[];

  constructor(fileName: string, problems: readonly RecipeProblem[]) {
    super(problems.map((problem) => formatProblem(fileName, problem)).join("\n"));
    this.fileName = fileName;
    this.problems = problems;
  }
}

/** One line: `recipe.yaml:7: unknown key ...`. */
export function formatProblem(fileName: string, problem: RecipeProblem): string {
  return problem.line === undefined
    ? `${fileName}: ${problem.message}`
    : `${fileName}:${problem.line}: ${problem.message}`;
}

/** `(did you mean \`weight\`?)` with a leading space, or nothing. */
export function suggestion(written: string, known: Iterable<string>): string {
  const name = nearest(written, known);
  return name === undefined ? "" : ` (did you mean \`${name}\`?)`;
}

/** Backquoted names in a sentence. */
export function listed(names: Iterable<string>): string {
  return Array.from(names, (name) => `\`${name}\``).join(", ");
}
