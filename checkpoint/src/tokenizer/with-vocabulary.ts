// A checkpoint whose embeddings have the rows of a merged vocabulary, as a description of what to read: no row is read here.
import { type Checkpoint, resolveTensor, type TensorRef } from "../checkpoint.ts";
import { type DerivedSource, derivedDType } from "../derived.ts";
import { dtypeBytes, elementCount } from "../dtype.ts";
import { CheckpointError } from "../errors.ts";
import { RunBuilder, readRuns } from "../row-runs.ts";
import type { ModelRows } from "./rows.ts";
import { vocabularyTensors } from "./vocabulary-tensors.ts";

/**
 * One of several models with the rows that `planRows` found for it.
 * @param models in the order of the plan; `index` is the model's place among them
 * @param count rows of the merged vocabulary
 * @throws CheckpointError when another model lacks a tensor that rows are taken from, or has it in another width
 */
export function withVocabulary(
  models: readonly Checkpoint[],
  index: number,
  rows: ModelRows,
  count: number,
): Checkpoint {
  const model = models[index];
  if (model === undefined) throw new Error(`no model ${index}`);
  if (rows.unchanged) return model;
  const numbers = new Map([...rows.used].toSorted((a, b) => a - b).map((source, number) => [source, number]));
  const runs = renumbered(rows.runs, numbers);
  const tensors = new Map(model.tensors);
  for (const name of vocabularyTensors(model).names) {
    const tensor = model.tensors.get(name);
    if (tensor === undefined) continue;
    const rowElements = elementCount(tensor.shape.slice(1));
    const sources = [...numbers.keys()].map((source) => sourceOf(models[source], model, tensor));
    const shape = [count, ...tensor.shape.slice(1)];
    const derived = { rowElements, sources, runs, dtype: derivedDType(sources, rows.averages) };
    const byteLength = elementCount(shape) * dtypeBytes(tensor.dtype);
    tensors.set(name, { ...tensor, shape, byteLength, derived });
  }
  return { ...model, tensors };
}

function renumbered(runs: Uint32Array, numbers: ReadonlyMap<number, number>): Uint32Array {
  const builder = new RunBuilder();
  for (const run of readRuns(runs)) {
    builder.append({ ...run, terms: run.terms.map(({ source, row }) => ({ source: numbers.get(source) ?? 0, row })) });
  }
  return builder.finish();
}

function sourceOf(donor: Checkpoint | undefined, model: Checkpoint, wanted: TensorRef): DerivedSource {
  const { name, shape } = wanted;
  const found = donor && resolveTensor(donor, name);
  if (donor === undefined || found === undefined) {
    const rule = `missing: rows of it are needed for tokens that ${model.root} lacks`;
    throw new CheckpointError({ file: donor?.root ?? "", tensor: name, rule });
  }
  if (found.shape.slice(1).join() !== shape.slice(1).join()) {
    const rule = `its rows [${found.shape.slice(1).join(", ")}] are not those [${shape.slice(1).join(", ")}] of ${model.root}`;
    throw new CheckpointError({ file: donor.root, tensor: name, rule });
  }
  // What an adapter adds to a row goes with the row.
  const [adapted] = found.derived?.sources ?? [];
  if (adapted !== undefined) return adapted;
  const file = donor.files.find((candidate) => candidate.name === found.file);
  if (file === undefined) throw new Error(`no file ${found.file}`);
  return { file, offset: found.offset, dtype: found.dtype, rows: found.shape[0] ?? 0 };
}
