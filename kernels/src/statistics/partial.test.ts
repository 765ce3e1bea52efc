import { expect, test } from "vitest";
import type { StagePartial, StageState } from "../types.ts";
import { exactly } from "./exact-sum.ts";
import { decodePartial, decodeState, encodePartial, encodeState, mergePartials } from "./partial.ts";

const partials: readonly (readonly [StagePartial, StagePartial])[] = [
  [
    { kind: "reduce", kinds: ["sum", "count", "minimum"], values: [exactly(-1.5), 3, Infinity] },
    { kind: "reduce", kinds: ["sum", "count", "minimum"], values: [exactly(1e-300), 4, -2] },
  ],
  [
    { kind: "histogram", elements: 5, searches: [{ above: 1, counts: Float64Array.of(0, 2, 0, 2), chunks: [] }] },
    { kind: "histogram", elements: 4, searches: [{ above: 0, counts: Float64Array.of(1, 3, 0, 0), chunks: [] }] },
  ],
  [
    { kind: "histogram", elements: 5, searches: [{ above: 1, counts: Float64Array.of(4), chunks: [[65_536, 4]] }] },
    { kind: "histogram", elements: 4, searches: [{ above: 1, counts: Float64Array.of(3), chunks: [[0, 3]] }] },
  ],
  [
    { kind: "locate", indexes: [-1, 12] },
    { kind: "locate", indexes: [70_000, -1] },
  ],
];

test.each(partials)("a partial result survives its encoding, and merging has no order: %#", (a, b) => {
  expect(decodePartial(encodePartial(a))).toEqual(a);
  expect(mergePartials(a, b)).toEqual(mergePartials(b, a));
});

test("results of different passes do not merge", () => {
  expect(() => mergePartials(partials[0]![0], partials[1]![0])).toThrow("not from the same pass");
});

test("a state survives its encoding, infinities included", () => {
  const state: StageState = { status: "done", values: { "statistic[0]": -Infinity, "statistic[0].cutoff": Infinity } };
  expect(decodeState(encodeState(state))).toEqual(state);
});

test("bytes that are no partial result or state are refused", () => {
  const bytes = Uint8Array.from('{"kind":"guess"}', (c) => c.charCodeAt(0));
  expect(() => decodePartial(bytes)).toThrow("not a partial result");
  expect(() => decodeState(bytes)).toThrow("not the state");
  expect(() => decodePartial(bytes.subarray(1))).toThrow(SyntaxError);
});
