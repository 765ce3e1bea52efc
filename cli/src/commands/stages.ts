// What the earlier stages of a recipe make: merged in order into a directory of their own, and taken from there when the same command
// runs again, if nothing that they were made of has changed and their bytes are still the ones that were written.
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { problemsOf, verifyPublished } from "@amalgam/checkpoint";
import { type Stage, stageText } from "@amalgam/coordinator";
import type { CommandContext } from "../context.ts";
import { type CheckedRecipe, checkStage } from "./check-recipe.ts";

/** Has one stage merged to `outputDirectory`; `text` is its recipe with those that it is made of. */
export type MergeStage = (text: string, outputDirectory: string) => Promise<void>;

/** Makes every stage of the recipe but the last. */
export async function makeStages(
  context: CommandContext,
  { stages, baseDirectory }: Pick<CheckedRecipe, "stages" | "baseDirectory">,
  directory: string,
  shardBytes: number | undefined,
  merge: MergeStage,
): Promise<void> {
  const all = stages.map(({ stage }) => stage);
  const made = new Map<string, string>();
  for (const [index, stage] of all.slice(0, -1).entries()) {
    const name = stage.name as string;
    const output = join(directory, name);
    const say = (what: string): void => {
      if (!context.json) context.print(`stage ${index + 1} of ${all.length}: ${name}${what}`);
    };
    if (await takeStage(stage, { baseDirectory, made, shardBytes }, output, context.signal))
      say(": already merged, and verified");
    else {
      say("");
      await merge(stageText(all, stage), output);
    }
    made.set(name, output);
  }
  if (all.length > 1 && !context.json) context.print(`stage ${all.length} of ${all.length}: the output`);
}

interface Circumstances {
  readonly baseDirectory: string;
  readonly made: ReadonlyMap<string, string>;
  readonly shardBytes: number | undefined;
}

/**
 * Whether the stage's output is there, made of what is there now, and as it was written. What is none of this is removed, and a note left of
 * what comes next: it is there before the output is, so an output without it was made of something else.
 */
async function takeStage(
  stage: Stage,
  { baseDirectory, made, shardBytes }: Circumstances,
  output: string,
  signal: AbortSignal,
): Promise<boolean> {
  // Over the real outputs of the stages before: their sizes, times and headers are part of the plan's digest.
  const { plan } = await checkStage(stage, baseDirectory, made, shardBytes);
  const note = `${output}.plan`;
  const noted = await readFile(note, "utf8").catch(() => undefined);
  if (noted === plan.digest && (await isIntact(output, signal))) return true;
  if (noted !== plan.digest) {
    await rm(output, { recursive: true, force: true });
    await mkdir(join(output, ".."), { recursive: true });
    await writeFile(note, plan.digest, { flush: true });
  }
  return false;
}

/** Removes what is not. */
async function isIntact(output: string, signal: AbortSignal): Promise<boolean> {
  try {
    await verifyPublished(output, { signal });
    return true;
  } catch (error) {
    signal.throwIfAborted();
    // Throws what is no finding about the files.
    problemsOf(error);
    await rm(output, { recursive: true, force: true });
    return false;
  }
}
