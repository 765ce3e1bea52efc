// docs/methods.md lists exactly the methods that there are, with their parameters, defaults and costs.
import { METHODS } from "@amalgam/kernels";
import { expect, test } from "vitest";
import { readPage } from "./markdown.ts";
import { methodPage } from "./method-tables.ts";

test("the tables are those of the methods; `npx node tests/docs/method-tables.ts` writes them", () => {
  const { written, expected } = methodPage();
  expect(written).toBe(expected);
  for (const name of Object.keys(METHODS)) expect(written.split(`| \`${name}\` |`).length, name).toBeGreaterThan(2);
});

test("methods named in the text exist", () => {
  const named = /^\* `(\w+)`/gm;
  for (const [, name = ""] of readPage("docs/methods.md").matchAll(named)) expect(Object.keys(METHODS)).toContain(name);
});
