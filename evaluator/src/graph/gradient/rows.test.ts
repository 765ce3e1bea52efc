import fc from "fast-check";
import { expect, test } from "vitest";
import { float32, int32, type TensorData } from "../../session/program.ts";
import { uniform } from "../../testing/fixtures.ts";
import { runGraph } from "../../testing/run-graph.ts";
import { int, ints } from "../attributes.ts";
import { GraphBuilder, type Value } from "../builder.ts";
import { differentiate } from "./differentiate.ts";
import type { Reduction } from "./gradient.ts";

interface Lookup {
  readonly rows: number;
  readonly features: number;
  readonly ids: readonly (readonly number[])[];
  readonly cotangent: TensorData;
}

type Build = (g: GraphBuilder, table: Value, ids: Value) => Value;

const embed: Build = (g, table, ids) => g.op("Gather", [table, ids], { axis: int(0) });

/** The gradient of a table by what `build` makes of it. */
async function gradient(lookup: Lookup, build: Build, reduction: Reduction): Promise<Float32Array> {
  const { rows, features, ids, cotangent } = lookup;
  const g = new GraphBuilder("lookup");
  const table = g.weight("table", [rows, features]);
  const output = build(g, table, g.input("ids", "int32", ["items", "tokens"]));
  const dims = cotangent.dims.map((_, axis) => ["derivatives", "tokens", "any"][axis]!);
  const wanted = { output, cotangent: g.input("cotangent", "float32", dims), wrt: ["table"], reduction };
  const value = (await differentiate(g, wanted)).get("table")!;
  g.output("gradient", value, "float32", reduction === "items" ? ["derivatives", rows, features] : [rows, features]);
  const random = uniform(7);
  const outputs = await runGraph(g.build(), {
    table: float32(
      [rows, features],
      Float32Array.from({ length: rows * features }, () => random() - 0.5),
    ),
    ids: int32([ids.length, ids[0]!.length], Int32Array.from(ids.flat())),
    cotangent,
  });
  return outputs.get("gradient")!.data;
}

function randomCotangent(dims: readonly number[], seed: number): TensorData {
  const random = uniform(seed);
  return float32(
    dims,
    Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => random() - 0.5),
  );
}

const sumOfSquares = (parts: readonly Float32Array[]): number[] =>
  [...parts[0]!].map((_, i) => parts.reduce((sum, part) => sum + part[i]! ** 2, 0));

function expectClose(found: Float32Array, expected: readonly number[]): void {
  expect(found).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 5);
}

/** Tables of few rows, and of more than are written out for every item; tokens repeat within items. */
const lookups = fc
  .record({
    rows: fc.constantFrom(3, 100),
    items: fc.integer({ min: 1, max: 3 }),
    tokens: fc.integer({ min: 1, max: 6 }),
  })
  .chain(({ rows, items, tokens }) =>
    fc.record({
      rows: fc.constant(rows),
      ids: fc.array(fc.array(fc.integer({ min: -3, max: 2 }), { minLength: tokens, maxLength: tokens }), {
        minLength: items,
        maxLength: items,
      }),
      derivatives: items === 1 ? fc.integer({ min: 1, max: 3 }) : fc.constant(items),
    }),
  );

test("a row that an item reads several times has the sum of what reaches it, and squares are of that sum", async () => {
  await fc.assert(
    fc.asyncProperty(lookups, async ({ rows, ids, derivatives }) => {
      const features = 2;
      const tokens = ids[0]!.length;
      const cotangent = randomCotangent([derivatives, tokens, features], 1);
      const parts = Array.from({ length: derivatives }, (_, k) => {
        const part = new Float32Array(rows * features);
        for (const [t, id] of (ids[k] ?? ids[0]!).entries()) {
          for (let f = 0; f < features; f++) {
            part[((id + rows) % rows) * features + f]! += cotangent.data[(k * tokens + t) * features + f]!;
          }
        }
        return part;
      });
      const lookup = { rows, features, ids, cotangent };
      expectClose(
        await gradient(lookup, embed, "items"),
        parts.flatMap((part) => [...part]),
      );
      expectClose(await gradient(lookup, embed, "squares"), sumOfSquares(parts));
      if (derivatives !== ids.length) return;
      const sum = [...parts[0]!].map((_, i) => parts.reduce((total, part) => total + part[i]!, 0));
      expectClose(await gradient(lookup, embed, "sum"), sum);
    }),
    { numRuns: 12 },
  );
});

const tied: Build = (g, table, ids) =>
  g.op("MatMul", [embed(g, table, ids), g.op("Transpose", [table], { perm: ints(1, 0) })]);

const twice: Build = (g, table, ids) =>
  g.op("Mul", [embed(g, table, ids), embed(g, table, g.op("Abs", [g.op("Sub", [ids, g.op("Neg", [ids])])]))]);

const scaled: Build = (g, table, ids) => embed(g, g.op("Mul", [table, g.floats([], [3])]), ids);

test.each([
  ["is the output layer too", tied, 100],
  ["is read twice", twice, 2],
  ["is computed from a parameter", scaled, 2],
] as const)("squares of a table that %s are those of one item at a time", async (_, build, width) => {
  const ids = [
    [5, 7, 5],
    [1, 1, 1],
  ];
  const lookup = { rows: 100, features: 2, ids, cotangent: randomCotangent([2, 3, width], 2) };
  const alone = ids.map((row, i) => {
    const data = lookup.cotangent.data.slice(i * 3 * width, (i + 1) * 3 * width) as Float32Array;
    return gradient({ ...lookup, ids: [row], cotangent: float32([1, 3, width], data) }, build, "sum");
  });
  const parts = await Promise.all(alone);
  expectClose(await gradient(lookup, build, "squares"), sumOfSquares(parts));
  expectClose(
    await gradient(lookup, build, "items"),
    parts.flatMap((part) => [...part]),
  );
});
