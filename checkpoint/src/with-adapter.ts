// A base checkpoint as a LoRA adapter changes it: W + scaling * B A, as a description of what to read. No weight is read here, and no
// copy of the base is ever made. Follows PEFT's merge (https://arxiv.org/abs/2106.09685), but for its rounding to the base's dtype.
import { createHash } from "node:crypto";
import type { Adapter, AdapterModule } from "./adapter.ts";
import { alphaOf } from "./adapter-config.ts";
import type { Checkpoint, CheckpointFile, TensorRef } from "./checkpoint.ts";
import type { Factor, LowRank, StoredMatrix } from "./derived.ts";
import { elementCount, isFloat } from "./dtype.ts";
import { CheckpointError, throwProblems } from "./errors.ts";
import { fileInLocation } from "./reference.ts";
import { RunBuilder } from "./row-runs.ts";

/**
 * The base with the adapter's changes. Tensors keep the base's name, shape and dtype; those that the adapter adds to are derived.
 * Throws with every tensor of the adapter that does not fit the base.
 */
export function withAdapter(base: Checkpoint, adapter: Adapter): Checkpoint {
  const overlay = new Overlay(base, adapter);
  // An embedding is saved whole beside its factors: what they are added to is the adapter's own copy.
  for (const [name, tensor] of adapter.replaced) overlay.replace(name, tensor);
  for (const module of adapter.modules) overlay.add(module);
  throwProblems(overlay.problems);
  const { alpha, alphaPattern, rankStabilised, fanInFanOut } = adapter.config;
  const identity = createHash("sha256");
  const parts = [base.identityDigest, adapter.weights.identityDigest, alpha, alphaPattern, rankStabilised, fanInFanOut];
  identity.update(JSON.stringify(parts));
  return {
    ...base,
    adapter: adapter.root,
    tensors: overlay.tensors,
    files: [...base.files, overlay.file],
    identityDigest: identity.digest("hex"),
  };
}

class Overlay {
  readonly tensors: Map<string, TensorRef>;
  readonly file: CheckpointFile;
  readonly problems: CheckpointError[] = [];
  readonly #base: Checkpoint;
  readonly #adapter: Adapter;

  constructor(base: Checkpoint, adapter: Adapter) {
    this.#base = base;
    this.#adapter = adapter;
    this.tensors = new Map(base.tensors);
    const [file] = adapter.weights.files;
    if (file === undefined) throw new Error("an adapter has a file");
    this.file = { ...file, shown: fileInLocation(adapter.root, file.name) };
    if (base.files.some(({ name }) => name === file.name)) {
      this.#refuse(undefined, `the base ${base.root} has weights in a file of this name`);
    }
  }

  add({ path, a, b, embedding }: AdapterModule): void {
    const weight = this.#find(`${path}.weight`, a);
    if (weight === undefined) return;
    const [rows = 0] = weight.shape;
    const rowElements = elementCount(weight.shape.slice(1));
    const [rank = 0] = a.shape;
    const columns = elementCount(a.shape.slice(1));
    const [outputs = 0, ranks] = b.shape;
    const plain = !embedding && outputs === rows && columns === rowElements;
    const transposed = weight.shape.length === 2 && outputs === rowElements && columns === rows;
    if (
      weight.shape.length < 2 ||
      ranks !== rank ||
      elementCount(b.shape) !== outputs * rank ||
      !(plain || transposed)
    ) {
      const shapes = `[${b.shape.join(", ")}] times [${a.shape.join(", ")}]`;
      this.#refuse(a, `${shapes} does not give the base's ${path}.weight [${weight.shape.join(", ")}]`);
      return;
    }
    if (rank === 0) return;
    const turned = transposed && (!plain || this.#adapter.config.fanInFanOut);
    const [left, right] = turned ? [a, b] : [b, a];
    const lowRank: LowRank = {
      rank,
      scale: this.#scale(path, rank),
      left: this.#factor(left, rows, turned),
      right: this.#factor(right, rank, turned),
    };
    const runs = new RunBuilder();
    runs.copy(0, 0, rows);
    const sources = [{ ...this.#stored(weight, rows), lowRank }];
    const derived = { rowElements, sources, runs: runs.finish(), dtype: "F32" as const };
    this.tensors.set(weight.name, { ...weight, derived });
  }

  replace(name: string, tensor: TensorRef): void {
    const found = this.#find(name, tensor);
    if (found === undefined) return;
    if (found.shape.join() !== tensor.shape.join()) {
      const shapes = `shape [${tensor.shape.join(", ")}] differs from [${found.shape.join(", ")}] of the base's ${name}`;
      this.#refuse(tensor, shapes);
    } else this.tensors.set(found.name, { ...tensor, name: found.name, file: this.file.name });
  }

  /** PEFT scales by alpha over the rank, or over its root. */
  #scale(path: string, rank: number): number {
    const { config } = this.#adapter;
    return alphaOf(config, path) / (config.rankStabilised ? Math.sqrt(rank) : rank);
  }

  #find(name: string, tensor: TensorRef): TensorRef | undefined {
    const found = this.tensors.get(name);
    if (found !== undefined && isFloat(found.dtype)) return found;
    const tied = this.#base.tied.find(({ absent }) => absent.includes(name))?.stored[0];
    if (found !== undefined) this.#refuse(tensor, `the base's ${name} is ${found.dtype}, which is no float dtype`);
    else if (tied === undefined) this.#refuse(tensor, `the base ${this.#base.root} has no tensor ${name}`);
    else this.#refuse(tensor, `the base ties ${name} to ${tied}: with the adapter they would be two different tensors`);
    return undefined;
  }

  #factor(tensor: TensorRef, rows: number, transposed: boolean): Factor {
    return { file: this.file, offset: tensor.offset, dtype: tensor.dtype, rows, transposed };
  }

  #stored({ file: name, offset, dtype }: TensorRef, rows: number): StoredMatrix {
    const file = [...this.#base.files, this.file].find((candidate) => candidate.name === name);
    if (file === undefined) throw new Error(`no file ${name}`);
    return { file, offset, dtype, rows };
  }

  #refuse(tensor: TensorRef | undefined, rule: string): void {
    const file = this.file.shown ?? this.file.name;
    this.problems.push(new CheckpointError({ file, rule, ...(tensor === undefined ? {} : { tensor: tensor.name }) }));
  }
}
