/**
 * Recipes of several YAML documents, as mergekit-multi has them: each is a merge, and may merge what another one makes by giving its `name`
 * as a model. One of them is the output: the one without a name, else the last.
 */
import type { LocatedMap } from "./located.ts";
import type { Pins } from "./pins.ts";
import { listed } from "./problems.ts";
import type { Reader } from "./reader.ts";
import { splitReference } from "./reference.ts";
import { stringifyRecipe } from "./serialize.ts";
import type { Recipe } from "./types.ts";

export interface Stage {
  /** Undefined only for the output. */
  readonly name: string | undefined;
  readonly recipe: Recipe;
  /** Names of the stages that it merges. */
  readonly uses: readonly string[];
}

/** A document of the text as it was read. */
export interface StageDocument {
  readonly name: string | undefined;
  readonly recipe: Recipe;
  readonly line: number;
}

/** Names become directories. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

export function readStageName(reader: Reader, root: LocatedMap): string | undefined {
  const entry = root.entries.get("name");
  const name = entry && reader.text(entry.value, "`name` of a stage");
  if (entry === undefined || name === undefined || NAME.test(name)) return name;
  return reader.fail(
    entry.line,
    `\`name\` of a stage must be letters, digits, \`.\`, \`_\` and \`-\` (at most 100, a letter or digit first), not \`${name}\``,
  );
}

/** Stages in the order in which they can be merged, the output last. Notes what keeps them from being merged. */
export function orderStages(reader: Reader, documents: readonly StageDocument[]): Stage[] {
  const named = new Map<string, StageDocument>();
  for (const document of documents) {
    const { name, line } = document;
    const first = name === undefined ? undefined : named.get(name);
    if (first !== undefined) reader.fail(line, `two stages are named \`${name}\` (the other on line ${first.line})`);
    if (name !== undefined) named.set(name, document);
  }
  const [unnamed, ...more] = documents.filter(({ name }) => name === undefined);
  for (const { line } of more) {
    reader.fail(line, `only one stage, the output, may be without \`name\` (the other on line ${unnamed?.line})`);
  }
  const uses = new Map(
    documents.map((document) => [document, modelReferences(document.recipe).filter((path) => named.has(path))]),
  );
  const used = new Set([...uses.values()].flat());
  const unused = documents.filter(({ name }) => name === undefined || !used.has(name));
  const output = unnamed ?? unused.at(-1) ?? (documents.at(-1) as StageDocument);
  const done = new Map<StageDocument, Stage>();
  const under = new Set<StageDocument>();
  const place = (document: StageDocument): void => {
    if (done.has(document)) return;
    if (under.has(document)) {
      const names = listed([...under].map(({ name }) => name ?? "the output"));
      reader.fail(document.line, `stage \`${document.name}\` is made of itself, by way of ${names}`);
      return;
    }
    under.add(document);
    const { name, recipe } = document;
    const own = uses.get(document) ?? [];
    for (const path of own) place(named.get(path) as StageDocument);
    under.delete(document);
    done.set(document, { name: document === output ? undefined : name, recipe, uses: own });
  };
  place(output);
  if (reader.problems.length > 0) return [];
  for (const document of documents) {
    if (done.has(document)) continue;
    reader.fail(document.line, `no stage merges \`${document.name}\`: name it as a model of the output, or remove it`);
  }
  return [...done.values()];
}

/** The checkpoints that a recipe names, without adapters, each once. */
function modelReferences({ base, models, modules }: Recipe): string[] {
  const sources = (modules ?? []).flatMap(({ slices }) =>
    slices.flatMap((slice) => [
      ...(slice.base === undefined ? [] : [slice.base]),
      ...slice.sources.map(({ path }) => path),
    ]),
  );
  const paths = [...(base === undefined ? [] : [base]), ...models.map(({ path }) => path), ...sources];
  return [...new Set(paths.map((path) => splitReference(path).base))];
}

/** The text of a stage and of those that it is made of, which parses to the same. `stages` are those of its recipe, in their order. */
export function stageText(stages: readonly Stage[], stage: Stage, pins: Pins = {}): string {
  const needed = new Set<string>(stage.uses);
  const documents = [stringifyRecipe(stage.recipe, pins)];
  for (const each of stages.slice(0, stages.indexOf(stage)).toReversed()) {
    if (each.name === undefined || !needed.has(each.name)) continue;
    for (const name of each.uses) needed.add(name);
    documents.unshift(`name: ${JSON.stringify(each.name)}\n${stringifyRecipe(each.recipe, pins)}`);
  }
  return documents.join("---\n");
}
