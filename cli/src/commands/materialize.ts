// `amalgam materialize`: the model of one task of an artefact, by an ordinary merge of the base with the artefact's files.
import { join } from "node:path";
import {
  type Artefact,
  CheckpointError,
  contentDigest,
  maskFile,
  openCheckpoint,
  readArtefact,
  tasksPerMaskFile,
  vectorFile,
} from "@amalgam/checkpoint";
import { WASM } from "@amalgam/devices/names";
import type { CommandContext } from "../context.ts";
import { type RunJobOptions, runJob } from "./run-job.ts";

export interface MaterializeOptions extends Omit<RunJobOptions, "backend"> {
  readonly task: string;
  readonly base: string;
  readonly out: string;
}

export async function run(context: CommandContext, directory: string, options: MaterializeOptions): Promise<void> {
  const { base, out } = options;
  const artefact = await readArtefact(directory, { signal: context.signal });
  if (artefact === undefined) {
    const hint = "give the directory that a merge by `emr` or `tall_masks` has written";
    throw new CheckpointError({ file: directory, rule: "is not an artefact: it has no artefact.json", hint });
  }
  const recipe = recipeOf(directory, artefact, options);
  const { signal } = context;
  if ((await contentDigest(await openCheckpoint(base, { signal }), { signal })) !== artefact.baseDigest) {
    const rule = "is not the base that the artefact was made from: the contents of its files differ";
    throw new CheckpointError({ file: base, rule });
  }
  // No device reads masks.
  await runJob(context, "merge", recipe, out, { ...options, backend: WASM, provider: "cpu" });
}

/** The recipe of one task's model. Which files it names follows from the artefact's directory, never from what is in them. */
function recipeOf(directory: string, { tasks, exclude }: Artefact, { task, base }: MaterializeOptions) {
  const index = tasks.findIndex(({ name }) => name === task);
  const found = tasks[index];
  if (found === undefined) {
    const names = tasks.map(({ name }) => name).join(", ");
    throw new CheckpointError({ file: directory, rule: `has no task ${JSON.stringify(task)} (tasks: ${names})` });
  }
  const document = {
    merge_method: "masked_task",
    base_model: base,
    models: [
      {
        model: join(directory, vectorFile),
        name: task,
        masks: join(directory, maskFile(Math.floor(index / tasksPerMaskFile))),
      },
    ],
    parameters: { bit: index % tasksPerMaskFile, scale: found.scale },
    ...(exclude.length === 0 ? {} : { exclude }),
  };
  // JSON is YAML.
  return { text: JSON.stringify(document, undefined, 2), name: "amalgam materialize", baseDirectory: process.cwd() };
}
