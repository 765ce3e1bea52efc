// Random models for tests: weights near a base as fine-tuning leaves them, positive Fisher
// information, and one call each to merge them with kernels and with the interpreter.
import { decodeElements, encodeElements } from "../convert.ts";
import type { DTypeName } from "../dtype.ts";
import { LAYER_COUNT, LAYER_INDEX } from "../graph.ts";
import { interpret } from "../interpreter.ts";
import { type MergedTensor, mergeTensors } from "../merge.ts";
import type { MergeMethod } from "../method.ts";
import { programOf } from "../program.ts";
import { RANDOM_KEY, RANDOM_OFFSET, RANDOM_SEED } from "../random.ts";
import type { Precision } from "../semantics.ts";
import type { MergeGraph, Program, ProgramSpec, Scalars } from "../types.ts";

/** A small generator with a fixed sequence for each seed; values in [0, 1). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One tensor's bytes for each input of the graph. */
export function randomInputs(
  graph: MergeGraph,
  dtypes: readonly DTypeName[],
  elements: number,
  seed: number,
): Uint8Array[] {
  const next = generator(seed);
  const base = Float64Array.from({ length: elements }, () => (next() - 0.5) * 2);
  return graph.inputs.map((role, i) => {
    const values = base.map((b) => {
      if (role.kind === "base") return b;
      if (role.kind === "companion") return next() < 0.1 ? 0 : next() ** 4;
      return next() < 0.1 ? b : b + (next() - 0.5) * 0.3;
    });
    return encodeElements(values, dtypes[i]!);
  });
}

/** Values for all parameters of a graph, varied and inside their ranges. */
export function randomScalars(graph: MergeGraph, seed: number): Scalars {
  const next = generator(seed);
  return Object.fromEntries(
    graph.parameters.map((name) => {
      if (name === LAYER_INDEX || name === LAYER_COUNT) return [name, name === LAYER_INDEX ? 1 : 2];
      if (name === RANDOM_KEY || name.startsWith(RANDOM_OFFSET)) return [name, Math.floor(next() * 2 ** 40)];
      if (name === RANDOM_SEED) return [name, Math.floor(next() * 2 ** 32)];
      if (name === "max_iter") return [name, 4];
      if (name === "eps" || name === "tol") return [name, 1e-8];
      if (name === "floor" || name === "epsilon") return [name, 1e-6];
      return [name, 0.2 + 0.6 * next()];
    }),
  );
}

export const programFor = (
  method: MergeMethod,
  models: number,
  dtype: DTypeName | readonly DTypeName[],
  options: Readonly<Record<string, boolean | string>> = {},
  outputDtype: DTypeName = typeof dtype === "string" ? dtype : "F32",
  special: Pick<ProgramSpec, "masks" | "working"> = {},
): Program => {
  const hasBase = method.base !== "none";
  const inputs = (hasBase ? 1 : 0) + models * (1 + method.companions.length);
  const inputDtypes = typeof dtype === "string" ? Array<DTypeName>(inputs).fill(dtype) : dtype;
  return programOf(method, { method: method.name, models, hasBase, options, inputDtypes, outputDtype, ...special });
};

/** A model for the program: one entry for each tensor. */
export const randomModel = (program: Program, sizes: readonly number[], seed: number) =>
  sizes.map((elements, t) => ({
    elements,
    rowElements: elements % 3 ? elements : elements / 3,
    inputs: randomInputs(program.graph, program.spec.inputDtypes, elements, seed + 1000 * t),
    scalars: randomScalars(program.graph, seed),
  }));

export type Model = Parameters<typeof mergeTensors>[1];

/** What the interpreter makes of it, as bytes of the output's dtype. */
export const interpreted = (program: Program, model: Model, precision: Precision): Float64Array[] =>
  interpret(
    program.graph,
    model.map((t) => ({ ...t, inputs: t.inputs.map((b, i) => decodeElements(b, program.spec.inputDtypes[i]!)) })),
    precision,
  );

export const merged = (program: Program, model: Model, pieceElements?: number): MergedTensor[] =>
  mergeTensors(program, model, pieceElements);
