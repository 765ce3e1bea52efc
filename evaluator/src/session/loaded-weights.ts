/** A model's weights as one graph wants them: checked against its parameters, converted once, and shared with what did not change. */

import { setImmediate as nextTurn } from "node:timers/promises";
import { EvaluatorError, messageOf } from "../errors.ts";
import type { Weights, WeightTensor } from "../weights.ts";
import { toFloat32 } from "./float32.ts";

/** Float32 values by tensor name, in shared memory. */
export type Float32Weights = ReadonlyMap<string, Float32Array>;

/** A directory of the wrong model misses every tensor: the first few say as much as all of them. */
const problemsShown = 20;

/** Converts weights and remembers converted tensors by digest, the most recently used ones within a budget of bytes. */
export class WeightLoader {
  readonly #parameters: ReadonlyMap<string, readonly number[]>;
  readonly #cacheBytes: number;
  readonly #cache = new Map<string, Float32Array>();
  #cachedBytes = 0;

  constructor(parameters: ReadonlyMap<string, readonly number[]>, cacheBytes: number) {
    this.#parameters = parameters;
    this.#cacheBytes = cacheBytes;
  }

  /** Bytes of the converted tensors kept for the next load. */
  get cachedBytes(): number {
    return this.#cachedBytes;
  }

  /**
   * Tensors that the graph does not read are ignored.
   * @throws EvaluatorError listing the tensors that are missing, misshapen or of a type that is no float.
   */
  async load(weights: Weights): Promise<Float32Weights> {
    const loaded = new Map<string, Float32Array>();
    const problems: string[] = [];
    for (const [name, shape] of this.#parameters) {
      const tensor = weights.get(name);
      const problem = checkShape(name, shape, tensor);
      if (problem !== undefined) {
        problems.push(problem);
        continue;
      }
      try {
        loaded.set(name, this.#convert(name, tensor!));
      } catch (error) {
        problems.push(messageOf(error));
      }
      // A large model converts for seconds; others on this thread must have their turn.
      await nextTurn();
    }
    if (problems.length > 0) throw new EvaluatorError(shorten(problems));
    return loaded;
  }

  #convert(name: string, tensor: WeightTensor): Float32Array {
    if (tensor.digest === undefined) return toFloat32(name, tensor);
    const key = `${tensor.dtype}:${tensor.digest}`;
    const known = this.#cache.get(key);
    const values = known ?? toFloat32(name, tensor);
    this.#remember(key, values, known !== undefined);
    return values;
  }

  #remember(key: string, values: Float32Array, known: boolean): void {
    // Maps keep insertion order: deleting and setting again makes this key the most recent one.
    this.#cache.delete(key);
    this.#cache.set(key, values);
    if (!known) this.#cachedBytes += values.byteLength;
    for (const [oldest, dropped] of this.#cache) {
      if (this.#cachedBytes <= this.#cacheBytes) break;
      this.#cache.delete(oldest);
      this.#cachedBytes -= dropped.byteLength;
    }
  }
}

function checkShape(name: string, shape: readonly number[], tensor: WeightTensor | undefined): string | undefined {
  if (tensor === undefined) return `tensor ${name}: missing (the model needs it with shape [${shape}])`;
  if (tensor.shape.join() === shape.join()) return undefined;
  return `tensor ${name}: shape [${tensor.shape}] does not match [${shape}], which config.json implies`;
}

function shorten(problems: readonly string[]): readonly string[] {
  if (problems.length <= problemsShown) return problems;
  return [...problems.slice(0, problemsShown), `... and ${problems.length - problemsShown} more tensors`];
}
