/** Headers without files behind them, for tests of the planner, which reads nothing else. */
import { createHash } from "node:crypto";
import { type Checkpoint, layoutFile, type TensorRef, type TensorSpec, type TiedGroup } from "@amalgam/checkpoint";
import { parseRecipe, type Recipe } from "../../recipe/index.ts";
import { slotsOf } from "../slots.ts";
import type { SlotHeader } from "../types.ts";

export interface SyntheticOptions {
  /** Tensors of further files. */
  readonly more?: readonly (readonly TensorSpec[])[];
  readonly config?: Checkpoint["config"];
  readonly tied?: readonly TiedGroup[];
}

export function syntheticCheckpoint(
  root: string,
  specs: readonly TensorSpec[],
  options: SyntheticOptions = {},
): Checkpoint {
  const tensors = new Map<string, TensorRef>();
  const files = [specs, ...(options.more ?? [])].map((group, index) => {
    const file = `model-${index + 1}.safetensors`;
    const layout = layoutFile(group);
    for (const { name, dtype, shape, begin, end } of layout.tensors.values()) {
      tensors.set(name, { name, dtype, shape, file, offset: begin, byteLength: end - begin });
    }
    const byteLength = layout.fileBytes;
    const identity = { byteLength, mtimeNs: 1n, inode: 1n, device: 1n };
    const headerSha256 = createHash("sha256").update(layout.header).digest("hex");
    const headerBytes = layout.header.length;
    return { name: file, path: `${root}/${file}`, byteLength, headerSha256, headerBytes, identity };
  });
  const { config, tied = [] } = options;
  return { root, config, tensors, files, sideFiles: [], tied, identityDigest: "" };
}

/** The recipe with the checkpoint of each slot, by the path that the recipe writes. */
export function syntheticJob(
  text: string,
  checkpointAt: (path: string) => Checkpoint,
): { readonly recipe: Recipe; readonly headers: readonly SlotHeader[] } {
  const recipe = parseRecipe(text, { fileName: "recipe.yaml" });
  return { recipe, headers: slotsOf(recipe).map((slot) => ({ slot, checkpoint: checkpointAt(slot.path) })) };
}
