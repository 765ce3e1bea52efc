import fc from "fast-check";
import { expect, test } from "vitest";
import { inputNames } from "../graph/families/family.ts";
import type { Encoding } from "../session/batches.ts";
import type { Tensors } from "../session/program.ts";
import { cotangentName } from "./programs.ts";
import { rangesOf } from "./ranges.ts";
import { runsOf } from "./runs.ts";

const labels = 5;
const offset = 2;
const limits = { items: 4, tokens: 40 };

/** A text that names itself: its first id is no other's. */
const textOf = (id: number, length: number): Encoding => ({
  ids: Array.from({ length }, (_, i) => (i === 0 ? id : 0)),
  types: new Array<number>(length).fill(0),
});
const length = fc.integer({ min: 1, max: 20 });
const weights = fc.array(fc.double({ min: 0.01, max: 1, noNaN: true }), { minLength: 1, maxLength: labels });

/** `[text, answer, weight]` of every row of every run, by what the model reads. */
function rowsOf(runs: readonly Tensors[]): [number, number, number][] {
  return runs.flatMap((run) => {
    const ids = run[inputNames.ids]!;
    const { dims, data } = run[cotangentName]!;
    const [texts, tokens] = ids.dims as [number, number];
    const [rows, width = 1] = dims as [number, number?];
    expect(texts === rows || texts === 1).toBe(true);
    expect(rows).toBeLessThanOrEqual(limits.items);
    expect(rows === 1 || rows * tokens <= limits.tokens).toBe(true);
    return Array.from({ length: rows }, (_, row) => {
      const cotangents = [...data.subarray(row * width, (row + 1) * width)];
      expect(cotangents.filter((value) => value !== 0)).toHaveLength(1);
      const answer = cotangents.findIndex((value) => value !== 0);
      const text = ids.data[(texts === 1 ? 0 : row) * tokens]!;
      return [text, answer, cotangents[answer]! ** 2] as [number, number, number];
    });
  });
}

const sorted = (rows: readonly (readonly number[])[]): number[][] =>
  rows.map((row) => [...row]).sort((a, b) => a[0]! - b[0]! || a[1]! - b[1]!);

function expectSame(actual: readonly (readonly number[])[], expected: readonly (readonly number[])[]): void {
  expect(sorted(actual).map((row) => row.slice(0, -1))).toEqual(sorted(expected).map((row) => row.slice(0, -1)));
  sorted(actual).forEach((row, i) => {
    expect(row.at(-1)).toBeCloseTo(sorted(expected)[i]!.at(-1)!, 5);
  });
}

test("labels: every chosen answer is one row of its text, within the limits", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(length, weights), { maxLength: 12 }), (drawn) => {
      const items = drawn.map(([tokens, all], id) => ({
        texts: [textOf(id + 1, tokens)],
        answers: all.map((weight, answer) => ({ answer, weight })),
      }));
      const runs = runsOf({ kind: "labels", offset, labels, classes: 9 }, items, limits);
      const expected = items.flatMap(({ answers }, id) =>
        answers.map(({ answer, weight }) => [id + 1, offset + answer, weight]),
      );
      expectSame(rowsOf(runs), expected);
    }),
  );
});

test("tokens: every chosen answer is a text of its own with one cotangent", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.array(fc.tuple(length, fc.double({ min: 0.01, max: 1, noNaN: true })), { minLength: 1, maxLength: 4 }),
        { maxLength: 8 },
      ),
      (drawn) => {
        let id = 0;
        const items = drawn.map((choices) => ({
          texts: choices.map(([tokens]) => textOf(++id, tokens)),
          answers: choices.map(([, weight], answer) => ({ answer, weight })),
        }));
        const expected = items.flatMap(({ texts, answers }) =>
          answers.map(({ answer, weight }) => [texts[answer]!.ids[0]!, 0, weight]),
        );
        expectSame(rowsOf(runsOf({ kind: "tokens" }, items, limits)), expected);
      },
    ),
  );
});

test("ranges cover all items once, in order", () => {
  fc.assert(
    fc.property(fc.nat(2000), (items) => {
      const ranges = rangesOf(items);
      expect(ranges.flatMap(({ begin, end }) => Array.from({ length: end - begin }, (_, i) => begin + i))).toEqual(
        Array.from({ length: items }, (_, i) => i),
      );
      expect(ranges.every(({ begin, end }) => end - begin >= 1 && end - begin <= 64)).toBe(true);
      expect(ranges.length).toBeLessThanOrEqual(Math.max(16, Math.ceil(items / 64)));
    }),
  );
});
