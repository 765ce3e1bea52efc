import { parseStages } from "../parse.ts";
import { RecipeProblems } from "../problems.ts";

/** The messages of a recipe that must not parse, a line each. */
export function problemsOf(text: string, fileName: string): string[] {
  try {
    parseStages(text, { fileName });
  } catch (error) {
    if (error instanceof RecipeProblems) return error.message.split("\n");
    throw error;
  }
  throw new Error("the recipe parsed");
}
