/** A candidate as other programs take models: a Hugging Face directory, in a place of its own that is removed afterwards. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createTensorFile, isDType } from "@amalgam/checkpoint";
import type { Weights } from "../weights.ts";

/** Writes `model.safetensors` and the files beside it into a folder that is there. */
export async function writeModel(
  folder: string,
  weights: Weights,
  files: ReadonlyMap<string, Uint8Array>,
  signal?: AbortSignal,
): Promise<void> {
  for (const [name, bytes] of files) await writeFile(join(folder, name), bytes);
  const tensors = [...weights.names()].map((name) => ({ name, ...weights.get(name)! }));
  const specs = tensors.map(({ name, dtype, shape }) => {
    if (!isDType(dtype)) throw new Error(`tensor ${name}: unknown dtype ${dtype}`);
    return { name, dtype, shape };
  });
  await using file = await createTensorFile(join(folder, "model.safetensors"), specs);
  for (const { name, bytes } of tensors) {
    signal?.throwIfAborted();
    await file.write(name, bytes);
  }
  await file.commit();
}
