import fc from "fast-check";
import { expect, test } from "vitest";
import { formatTable } from "./table.ts";

test("the first column is aligned left, the others right, rules go across", () => {
  expect(formatTable(["task", "n"], [["a", "10"], "rule", ["longer", "7"]])).toEqual([
    "task     n",
    "──────  ──",
    "a       10",
    "──────  ──",
    "longer   7",
  ]);
});

test("every line is as wide as the columns, whatever the cells", () => {
  const cell = fc.string({ unit: fc.constantFrom("a", "±", " "), maxLength: 9 });
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell, fc.constant("x"))), (rows) => {
      const lines = formatTable(["", "b", "c"], rows);
      expect(new Set(lines.map(({ length }) => length)).size).toBe(1);
    }),
  );
});

test("a row may be shorter than the header", () => {
  expect(formatTable(["a", "b"], [["x"]])).toEqual(["a  b", "─  ─", "x"]);
});
