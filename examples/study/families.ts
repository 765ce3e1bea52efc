// The families of models that are compared on: the committed one (seed 0) and those that its scripts train with other seeds.
import { existsSync } from "node:fs";
import { join } from "node:path";

export const repository = join(import.meta.dirname, "../..");
/** What the study makes and nobody commits: families of other seeds, merged models, recipes. */
export const scratch = join(repository, "out", "study");

export interface Family {
  readonly name: string;
  readonly seed: number;
  /** With base/, expert-TASK/ and tasks/TASK.yaml. */
  readonly directory: string;
  /** One for each expert. */
  readonly tasks: readonly string[];
}

const committed: Readonly<Record<string, { readonly directory: string; readonly tasks: readonly string[] }>> = {
  text: { directory: "examples/quickstart", tasks: ["sentiment", "supersense", "section", "speech"] },
  images: { directory: "examples/images", tasks: ["digit", "garment", "clutter", "turn", "glimpse"] },
};

export const familyNames: readonly string[] = Object.keys(committed);

/** @throws Error when there is no such family, or it has not been trained with that seed */
export function familyOf(name: string, seed: number): Family {
  const known = committed[name];
  if (known === undefined) throw new Error(`there is no family "${name}"; there are ${familyNames.join(", ")}`);
  const directory = seed === 0 ? join(repository, known.directory) : join(scratch, "families", `${name}-${seed}`);
  if (!existsSync(join(directory, "base"))) {
    throw new Error(`${directory} is not there: ${known.directory}/train/README.md says how to train seed ${seed}`);
  }
  return { name, seed, directory, tasks: known.tasks };
}
