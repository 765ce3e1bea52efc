/** "Did you mean", as the problems of a task file say it. */
import { nearest } from "@amalgam/runtime";

/** ` (did you mean "x"?)`, or nothing. */
export function suggestion(word: string, known: Iterable<string>): string {
  const found = nearest(word, known);
  return found === undefined ? "" : ` (did you mean "${found}"?)`;
}
