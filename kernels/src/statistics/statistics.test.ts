// Statistics of every kind and scope, through small methods made for the purpose: against sorting
// and plain sums, for any cutting of the tensors and any order of the partial results.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeElements, encodeElements } from "../convert.ts";
import {
  abs,
  add,
  constant,
  countOver,
  div,
  dotOver,
  elements,
  type F32,
  floor,
  gt,
  kthLargest,
  largest,
  max,
  maximumOver,
  minimumOver,
  mul,
  rankInRow,
  type Scope,
  select,
  sqrt,
  sub,
  sumOver,
  wide,
} from "../expr.ts";
import type { MergeMethod, MethodContext } from "../method.ts";
import { generator, interpreted, type Model, merged, programFor } from "../testing/models.ts";
import { BLOCK_ELEMENTS, type Scalars } from "../types.ts";

const methodOf = (build: (x: F32, m: MethodContext) => F32): MergeMethod => ({
  name: "made_for_a_test",
  summary: "",
  reference: "",
  base: "none",
  minModels: 1,
  companions: [],
  parameters: { k: { kind: "number", scope: "global", doc: "" } },
  build: (m) => build(m.models[0]!, m),
});

const model = (tensors: readonly ArrayLike<number>[], k = 0, rowElements?: number): Model =>
  tensors.map((x) => ({
    inputs: [encodeElements(x, "F32")],
    elements: x.length,
    scalars: { k },
    ...(rowElements === undefined ? {} : { rowElements }),
  }));

const everything = (scope: Scope) =>
  methodOf((x, m) =>
    [
      sumOver(scope, x),
      dotOver(scope, x, abs(x)),
      countOver(scope, gt(x, 0)),
      minimumOver(scope, x),
      maximumOver(scope, x),
      kthLargest(scope, abs(x), m.param("k")),
    ].reduce(add, mul(x, 0)),
  );

const statisticsOf = (scalars: Scalars): number[] =>
  Object.entries(scalars).flatMap(([name, value]) => (name.startsWith("statistic") ? [value] : []));

const numbers = fc.array(
  fc.oneof(fc.integer({ min: -9, max: 9 }), fc.float({ noNaN: true, noDefaultInfinity: true })),
  {
    minLength: 1,
    maxLength: 50,
  },
);

describe("an order statistic", () => {
  const exact = programFor(
    methodOf((x, m) => select(largest("tensor", x, m.param("k")), 1, 0)),
    1,
    "F32",
  );
  const byValue = programFor(
    methodOf((x, m) => mul(x, mul(kthLargest("model", x, m.param("k")), 0))),
    1,
    "F32",
  );

  test("is the value a sort puts in that place, over all tensors of the model", () => {
    fc.assert(
      fc.property(numbers, numbers, fc.integer({ min: -1, max: 101 }), (a, b, k) => {
        const all = [...a, ...b].map(Math.fround).sort((x, y) => y - x);
        const want = k < 1 ? Infinity : k >= all.length ? -Infinity : all[k - 1]! + 0;
        expect(statisticsOf(merged(byValue, model([a, b], k))[0]!.scalars)).toEqual([want]);
      }),
    );
  });

  test("keeps exactly k values, of equal ones those with the lowest indexes", () => {
    fc.assert(
      fc.property(numbers, fc.integer({ min: -1, max: 51 }), (values, k) => {
        const order = values
          .map((_, i) => i)
          .sort((i, j) => Math.fround(values[j]!) - Math.fround(values[i]!) || i - j);
        const kept = new Set(order.slice(0, Math.max(0, k)));
        const bytes = merged(exact, model([values], k))[0]!.bytes;
        expect([...decodeElements(bytes, "F32")]).toEqual(values.map((_, i) => (kept.has(i) ? 1 : 0)));
      }),
    );
  });

  test("takes NaN for larger than everything", () => {
    const values = [1, Number.NaN, 3, -Infinity, Number.NaN, 2];
    const found = [1, 2, 3, 4, 5].map((k) => statisticsOf(merged(byValue, model([values], k))[0]!.scalars)[0]);
    expect(found).toEqual([Number.NaN, Number.NaN, 3, 2, 1]);
  });

  const large = 700_001;
  const next = generator(1);
  const shapes: readonly (readonly [string, Float32Array])[] = [
    ["random values", Float32Array.from({ length: large }, () => next() - 0.5)],
    ["few distinct values", Float32Array.from({ length: large }, () => Math.round(next() * 6))],
    ["one value", new Float32Array(large).fill(3)],
    ["values on a lattice", Float32Array.from({ length: large }, () => Math.round((next() - 0.5) * 60) / 64)],
    [
      "a value that many have, among close ones",
      Float32Array.from({ length: large }, () => (next() < 0.2 ? 1 : 1 + (next() - 0.5) * 1e-4)),
    ],
    // The sample, taken from the start of each block, is misleading: the answer comes from the fall-back.
    [
      "small values where the sample is taken",
      Float32Array.from({ length: large }, (_, i) => ((i % 65_536) + next()) ** 3),
    ],
  ];
  test.each(shapes)("is found by sampling in a large tensor of %s", (_, values) => {
    const sorted = values.toSorted();
    for (const k of [1, 1000, large >> 1, large - 1]) {
      const [all] = merged(exact, model([values], k));
      expect(all!.scalars["statistic[0]"]).toBe(sorted[large - k]! + 0);
      expect(decodeElements(all!.bytes, "F32").reduce((a, b) => a + b, 0)).toBe(k);
      const [pieces] = merged(exact, model([values], k), BLOCK_ELEMENTS);
      expect(pieces!.scalars).toEqual(all!.scalars);
    }
  });
});

describe.each(["tensor", "model"] as const)("statistics over the %s", (scope) => {
  test("are those of the interpreter", () => {
    const program = programFor(everything(scope), 1, "F32");
    fc.assert(
      fc.property(numbers, numbers, fc.integer({ min: 1, max: 60 }), (a, b, k) => {
        const tame = (x: number[]) => x.map((v) => Math.max(-1e6, Math.min(v, 1e6)));
        const input = model([tame(a), tame(b)], k);
        const expected = interpreted(program, input, "float32");
        merged(program, input).forEach(({ bytes }, t) => {
          decodeElements(bytes, "F32").forEach((x, i) => {
            const want = expected[t]![i]!;
            expect(x === want || Math.abs(x - want) <= 1e-6 * Math.abs(want) + 1e-6).toBe(true);
          });
        });
      }),
    );
  });

  test("do not depend on the pieces a tensor is cut into, to the bit", () => {
    const program = programFor(everything(scope), 1, "F32");
    const next = generator(2);
    const tensors = [300_000, 65_536, 70_001, 5].map((n) =>
      Float32Array.from({ length: n }, () => (next() - 0.5) ** 5),
    );
    const results = [undefined, BLOCK_ELEMENTS, 2 * BLOCK_ELEMENTS].map((piece) =>
      merged(program, model(tensors, 1234), piece).map((t) => t.scalars),
    );
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });
});

describe("a statistic over each row", () => {
  const normalised = (x: F32): F32 => mul(x, wide(div(1, max(sqrt(dotOver("row", x, x)), 1e-8))));
  const rows = (values: readonly number[], length: number): number[][] =>
    Array.from({ length: values.length / length }, (_, r) => values.slice(r * length, (r + 1) * length));

  test("is used in that row only", () => {
    const program = programFor(methodOf(normalised), 1, "F32");
    const values = Array.from({ length: 7 * 5 }, (_, i) => Math.sin(i) + 2);
    const bytes = merged(program, model([values], 0, 7))[0]!.bytes;
    for (const row of rows([...decodeElements(bytes, "F32")], 7))
      expect(row.reduce((a, b) => a + b * b, 0)).toBeCloseTo(1, 5);
  });

  test("selects by the index in the row, and can feed a statistic over the tensor", () => {
    const kept = (x: F32): F32 => select(largest("row", abs(x), floor(mul(elements, 0.5))), x, constant(0));
    const program = programFor(
      methodOf((x) => add(kept(x), mul(sumOver("tensor", abs(kept(x))), 0.125))),
      1,
      "F32",
    );
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -4, max: 4 }), { minLength: 1, maxLength: 9 }),
        fc.integer({ min: 1, max: 4 }),
        (row, n) => {
          const values = Array.from({ length: n }, (_, r) => row.map((v) => (v * (r + 1)) / 4)).flat();
          const input = model([values], 0, row.length);
          const expected = interpreted(program, input, "float32")[0]!;
          const found = decodeElements(merged(program, input)[0]!.bytes, "F32");
          expect(found.every((x, i) => x === expected[i])).toBe(true);
        },
      ),
    );
  });

  test.each([
    ["short rows, more than a call has runs for", 5, 300],
    ["a row that is longer than a block", 70_001, 2],
  ])("is the interpreter's for %s", (_, rowElements, rows) => {
    const build = (x: F32): F32 => {
      const kept = select(largest("row", abs(x), floor(mul(elements, 0.5))), x, 0);
      return add(mul(kept, rankInRow(abs(x))), sub(maximumOver("row", x), countOver("tensor", gt(abs(kept), 0))));
    };
    const program = programFor(methodOf(build), 1, "F32");
    const next = generator(rowElements);
    const values = Array.from({ length: rows * rowElements }, () => Math.round((next() - 0.5) * 1000) / 8);
    const input = model([values], 0, rowElements);
    const found = merged(program, input)[0]!.bytes;
    expect(Buffer.from(encodeElements(interpreted(program, input, "float32")[0]!, "F32")).equals(found)).toBe(true);
  });

  test("over rows of a sampled tensor is exact too", () => {
    const importance = (x: F32): F32 => mul(abs(x), sumOver("row", abs(x)));
    const build = (x: F32): F32 => mul(x, mul(kthLargest("tensor", importance(x), constant(200_000)), 0));
    const program = programFor(methodOf(build), 1, "F32");
    const next = generator(3);
    const [rows, rowElements] = [300, 1024];
    const values = Array.from(
      { length: rows * rowElements },
      (_, i) => Math.round(next() * 512) * 2 ** -((i >> 10) % 5),
    );
    const norms = Array.from({ length: rows }, (_, r) =>
      values.slice(r * rowElements, (r + 1) * rowElements).reduce((a, b) => a + Math.abs(b), 0),
    );
    const sorted = Float32Array.from(values, (v, i) => Math.abs(v) * norms[i >> 10]!).sort();
    const found = merged(program, model([values], 0, rowElements))[0]!.scalars;
    expect(statisticsOf(found)).toEqual([sorted[rows * rowElements - 200_000]]);
  });
});
