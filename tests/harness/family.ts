// A small job on real weights and real data: copies of the quickstart's models and the first items of its tasks, in a
// temporary directory, with a recipe of few trials.
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const QUICKSTART = fileURLToPath(new URL("../../examples/quickstart", import.meta.url));
const EXPERTS = ["sentiment", "supersense", "section", "speech"];
const TASKS = ["sentiment", "section"];

export interface Family extends AsyncDisposable {
  /** Temporary, removed with everything in it on disposal. */
  readonly directory: string;
  readonly recipe: string;
  /** Trials, tasks and compared models of the recipe. */
  readonly trials: number;
  readonly tasks: readonly string[];
  readonly comparisons: number;
  /** A new directory for outputs; outputs of equal names in several of them may be compared byte by byte. */
  outputIn(name: string): Promise<string>;
}

/** Items of each split; more make evaluations, and so the moments in which something can be killed, longer. */
export async function createFamily({
  items = 60,
  trials = 6,
  racing = false,
  fisher = "",
}: {
  items?: number;
  trials?: number;
  /** Trials race, so that some are scored on a part of the items. */
  racing?: boolean;
  /** The recipe's `fisher` section; by default the information is in files. */
  fisher?: string;
} = {}): Promise<Family> {
  const directory = await mkdtemp(join(tmpdir(), "amalgam-e2e-"));
  const models = ["base", ...EXPERTS.map((name) => `expert-${name}`)];
  await Promise.all(models.map((name) => cp(join(QUICKSTART, name), join(directory, name), { recursive: true })));
  await mkdir(join(directory, "tasks"));
  for (const file of await readdir(join(QUICKSTART, "tasks"))) {
    const text = await readFile(join(QUICKSTART, "tasks", file), "utf8");
    const cut = file.endsWith(".jsonl") ? `${text.split("\n").slice(0, items).join("\n")}\n` : text;
    await writeFile(join(directory, "tasks", file), cut);
  }
  const recipe = join(directory, "recipe.yaml");
  await writeFile(recipe, recipeText(trials, racing, fisher));
  // Where it is estimated, no file may take its place.
  if (fisher !== "")
    await Promise.all(
      EXPERTS.map((name) => rm(join(directory, `expert-${name}`, "fisher.safetensors"), { force: true })),
    );
  return {
    directory,
    recipe,
    trials,
    tasks: TASKS,
    comparisons: 1,
    async outputIn(name) {
      await mkdir(join(directory, name), { recursive: true });
      return join(directory, name, "model");
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

const recipeText = (trials: number, racing: boolean, fisher: string): string => `
merge_method: df_merge
base_model: ./base
models:
${EXPERTS.map((name) => `  - { model: ./expert-${name}, name: ${name} }`).join("\n")}
seed: 1
${fisher === "" ? "" : `fisher: ${fisher}`}
evaluate:
  tasks: [${TASKS.map((name) => `tasks/${name}.yaml`).join(", ")}]
  split: validation
  confirm: test
  compare:
    - { name: ties, merge_method: ties, parameters: { weight: 1, density: 0.2 } }
search:
  trials: ${trials}
  parallel: 2
  racing: ${racing}
  coefficients:
    weight: { per: model, low: 0, high: 1 }
`;
