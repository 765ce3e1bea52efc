/** Keys of a recipe that the command line sets without editing the file. */
import { isMap, parseAllDocuments } from "yaml";

export interface RecipeOverrides {
  readonly arithmetic?: "mergekit" | undefined;
  readonly seed?: number | undefined;
}

/** The recipe's text with these keys, whatever it said of them. Text that is no recipe comes back as it is, to be refused. */
export function withOverrides(text: string, overrides: RecipeOverrides): string {
  const given = Object.entries(overrides).filter(([, value]) => value !== undefined);
  if (given.length === 0) return text;
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return text;
  if (documents.some(({ errors, contents }) => errors.length > 0 || !isMap(contents))) return text;
  for (const document of documents) for (const [key, value] of given) document.set(key, value);
  return documents.map((document) => document.toString({ lineWidth: 0 })).join("");
}
