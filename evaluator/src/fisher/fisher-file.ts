/**
 * Estimates the Fisher information of a checkpoint's tensors and writes it as a safetensors file under their names. Tensors are estimated in
 * groups whose sums fit the memory, each with a pass over the items of its own, and written group by group. What a run has summed is kept
 * beside the file, so that one that was stopped goes on.
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import {
  createTensorFile,
  elementCount,
  openScratch,
  type Scratch,
  type TensorFileWriter,
  type TensorSpec,
} from "@amalgam/checkpoint";
import type { FisherEstimate, RunningSum } from "./estimate.ts";
import { bytesOf } from "./limits.ts";
import { bytesOfFloats, loadSum, saveSum } from "./sum-file.ts";

export interface FisherFileOptions {
  readonly path: string;
  /** The tensors to write, under their names and with their shapes in the checkpoint; F32 or BF16. */
  readonly tensors: readonly TensorSpec[];
  /** What the header says; `digest` tells whether what an earlier run has summed is part of this estimate. */
  readonly metadata: Readonly<Record<string, string>> & { readonly digest: string };
  /** How many items the estimate is the mean of. */
  readonly items: number;
  /** Bound on the float32 bytes of the tensors that are estimated together. A larger tensor is estimated by itself. */
  readonly groupBytes: number;
  /** How often what is summed so far is written to the disk. */
  readonly saveMs: number;
  readonly signal: AbortSignal;
  /** Estimates some of the tensors. */
  readonly estimate: (tensors: ReadonlySet<string>, options: EstimateProgress) => Promise<FisherEstimate["tensors"]>;
}

export interface EstimateProgress {
  readonly from: RunningSum | undefined;
  readonly onRange: (sum: RunningSum) => Promise<void>;
}

/**
 * @throws CheckpointError when the disk refuses or another process writes the same file, and what `estimate` throws; then an earlier file is as
 *   it was.
 */
export async function writeFisherFile(options: FisherFileOptions): Promise<void> {
  using scratch = await openScratch(options.path);
  await using file = await createTensorFile(options.path, options.tensors, options.metadata);
  const groups = groupsOf(options.tensors, options.groupBytes);
  for (const group of groups) await writeGroup(file, scratch, group, groups.length > 1, options);
  await file.commit();
  await scratch.remove();
}

/** @param kept whether the group's sums stay on the disk when they are complete, for a run that begins again */
async function writeGroup(
  file: TensorFileWriter,
  { directory }: Scratch,
  group: readonly TensorSpec[],
  kept: boolean,
  { metadata, items, saveMs, signal, estimate }: FisherFileOptions,
): Promise<void> {
  const names = group.map(({ name }) => name);
  const digest = createHash("sha256")
    .update(JSON.stringify([metadata.digest, names]))
    .digest("hex");
  const path = join(directory, `${digest}.safetensors`);
  let savedMs = performance.now();
  const onRange = async (sum: RunningSum): Promise<void> => {
    const complete = sum.items === items;
    if (complete ? !kept : performance.now() - savedMs < saveMs) return;
    await saveSum(path, digest, sum);
    savedMs = performance.now();
  };
  const from = await loadSum(path, digest, signal);
  const tensors = await estimate(new Set(names), { from, onRange });
  for (const { name, dtype, shape } of group) {
    // The gradient of a tensor that the model does not read is zero.
    const values = tensors.get(name) ?? new Float32Array(elementCount(shape));
    await file.write(name, dtype === "BF16" ? bfloat16(values) : bytesOfFloats(values));
  }
}

function groupsOf(tensors: readonly TensorSpec[], groupBytes: number): TensorSpec[][] {
  const groups: TensorSpec[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const tensor of tensors) {
    const added = bytesOf(tensor.shape);
    if (bytes + added > groupBytes) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)!.push(tensor);
    bytes += added;
  }
  return groups;
}

/** Rounds to nearest, ties to even; no value is NaN. */
function bfloat16(values: Float32Array): Uint8Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const rounded = Uint16Array.from(bits, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16);
  return new Uint8Array(rounded.buffer);
}
