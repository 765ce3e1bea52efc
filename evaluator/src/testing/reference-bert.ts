/** BERT's forward pass for one sequence in float64, written from the paper with plain loops: the oracle of the graph's tests. */

import type { Encoding } from "../session/batches.ts";
import type { WeightTensor } from "../weights.ts";

type Matrix = number[][];

export function referenceLogits(
  config: Record<string, unknown>,
  weights: ReadonlyMap<string, WeightTensor>,
  { ids, types }: Encoding,
): number[] {
  const heads = config["num_attention_heads"] as number;
  const table = (name: string): Matrix => rowsOf(weights.get(name)!);
  const vector = (name: string): number[] => rowsOf(weights.get(name)!)[0]!;
  const linear = (x: Matrix, name: string): Matrix => {
    const weight = table(`${name}.weight`);
    const bias = vector(`${name}.bias`);
    return x.map((row) => weight.map((w, o) => dot(row, w) + bias[o]!));
  };
  const norm = (x: Matrix, name: string): Matrix => {
    const [weight, bias] = [vector(`${name}.weight`), vector(`${name}.bias`)];
    return x.map((row) => {
      const mean = sum(row) / row.length;
      const variance = sum(row.map((v) => (v - mean) ** 2)) / row.length;
      return row.map((v, i) => ((v - mean) / Math.sqrt(variance + 1e-12)) * weight[i]! + bias[i]!);
    });
  };
  const activate = activations[config["hidden_act"] as string]!;

  const e = "bert.embeddings";
  const words = table(`${e}.word_embeddings.weight`);
  const places = table(`${e}.position_embeddings.weight`);
  const segments = table(`${e}.token_type_embeddings.weight`);
  let x = norm(
    ids.map((id, t) => words[id]!.map((v, i) => v + places[t]![i]! + segments[types[t]!]![i]!)),
    `${e}.LayerNorm`,
  );
  for (let l = 0; l < (config["num_hidden_layers"] as number); l++) {
    const name = `bert.encoder.layer.${l}`;
    const [q, k, v] = ["query", "key", "value"].map((part) => linear(x, `${name}.attention.self.${part}`));
    const attended = linear(selfAttention(q!, k!, v!, heads), `${name}.attention.output.dense`);
    const middle = norm(add(attended, x), `${name}.attention.output.LayerNorm`);
    const inner = linear(middle, `${name}.intermediate.dense`).map((row) => row.map(activate));
    x = norm(add(linear(inner, `${name}.output.dense`), middle), `${name}.output.LayerNorm`);
  }
  const pooled = linear([x[0]!], "bert.pooler.dense").map((row) => row.map(Math.tanh));
  return linear(pooled, "classifier")[0]!;
}

function selfAttention(q: Matrix, k: Matrix, v: Matrix, heads: number): Matrix {
  const d = q[0]!.length / heads;
  return q.map((row) =>
    row.map((_, i) => {
      const from = Math.floor(i / d) * d;
      const scores = k.map((key) => dot(row.slice(from, from + d), key.slice(from, from + d)) / Math.sqrt(d));
      const largest = Math.max(...scores);
      const exps = scores.map((score) => Math.exp(score - largest));
      return (
        dot(
          exps,
          v.map((value) => value[i]!),
        ) / sum(exps)
      );
    }),
  );
}

const activations: Record<string, (x: number) => number> = {
  gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  gelu_new: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  relu: (x) => Math.max(0, x),
};

/** Maclaurin series; 1e-12 and better for |x| < 4, beyond which erf is one to 1e-8. */
function erf(x: number): number {
  if (Math.abs(x) > 4) return Math.sign(x);
  let term = x;
  let total = x;
  for (let n = 1; n < 100; n++) {
    term *= (-x * x) / n;
    total += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
}

function rowsOf({ bytes, shape }: WeightTensor): Matrix {
  const values = [...new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)];
  const columns = shape.at(-1)!;
  return Array.from({ length: values.length / columns }, (_, r) => values.slice(r * columns, (r + 1) * columns));
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((total, v, i) => total + v * b[i]!, 0);
const add = (a: Matrix, b: Matrix): Matrix => a.map((row, r) => row.map((v, i) => v + b[r]![i]!));
