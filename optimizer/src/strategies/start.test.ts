import { expect, test } from "vitest";
import { createSpace } from "../space/space.ts";
import { floats } from "../testing/problem.ts";
import { startPoints } from "./start.ts";

function first(count: number, dimensions: Parameters<typeof createSpace>[0]): { origin: string; unit: number[] }[] {
  const sequence = startPoints(createSpace(dimensions), 3);
  return Array.from({ length: count }, () => {
    const { origin, unit } = sequence.next().value;
    return { origin, unit: [...unit] };
  });
}

test("coefficients start on the line of equal values, then the centre, then spread out", () => {
  const origins = first(8, floats(8, 0, 1.5)).map(({ origin }) => origin);
  expect(origins).toEqual(["line", "line", "line", "line", "centre", "sobol", "sobol", "sobol"]);
  const [line] = first(1, floats(8, 0, 1.5));
  expect(line!.unit).toEqual(new Array(8).fill(0.3));
});

test("few coefficients have a short line, many a long one", () => {
  const lineLength = (d: number): number => first(20, floats(d, 0, 1)).filter(({ origin }) => origin === "line").length;
  expect([2, 4, 8, 32].map(lineLength)).toEqual([2, 2, 4, 5]);
});

test("equal values mean nothing where ranges differ, 0 is not their lower end, or there is one dimension", () => {
  const other = { name: "other", kind: "float", low: 0, high: 2 } as const;
  for (const dimensions of [floats(3, -5, 10), floats(3, 0.1, 1), [...floats(2, 0, 1), other], floats(1, 0, 1)]) {
    expect(first(3, dimensions).map(({ origin }) => origin)).toEqual(["centre", "sobol", "sobol"]);
  }
});
