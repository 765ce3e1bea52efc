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

test("every method has a formula", () => {
  const [, formulas = ""] = readPage("docs/methods.md").split("\n## Formulas\n");
  const sections = formulas.split("\n## ");
  const text = [sections[0], sections.find((section) => section.startsWith("Artefacts"))].join("\n");
  for (const name of Object.keys(METHODS)) expect(text, name).toMatch(new RegExp(`\\b${name}\\b`));
});

test("the method that kernels/README.md shows is the one that runs", () => {
  const [, shown = ""] = /```ts\n(build: [\s\S]*?)```/.exec(readPage("kernels/README.md")) ?? [];
  const file = readPage("kernels/src/methods/ties.ts").replaceAll(/\n {2}/g, "\n");
  expect(shown).not.toBe("");
  expect(file).toContain(shown);
});

test("methods named in the text exist", () => {
  const named = /^\* `(\w+)`/gm;
  for (const [, name = ""] of readPage("docs/methods.md").matchAll(named)) expect(Object.keys(METHODS)).toContain(name);
});
