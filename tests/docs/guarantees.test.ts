// docs/guarantees.md names only tests that exist.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT, readPage } from "./markdown.ts";

const page = readPage("docs/guarantees.md");
const claims = [...page.matchAll(/^- `(.+?)`: (.+)$/gm)].map(([, file = "", name = ""]) => ({ file, name }));

test("every promise names tests", () => {
  const promises = page.split(/^## /m).slice(1);
  expect(promises.map((promise) => promise.slice(0, 2))).toEqual([
    "P1",
    "P2",
    "P3",
    "P4",
    "P5",
    "P6",
    "P7",
    "P8",
    "P9",
  ]);
  for (const promise of promises) expect(promise).toMatch(/^- `.+\.test\.ts`: /m);
});

test.each(claims)("$file has the test: $name", ({ file, name }) => {
  expect(existsSync(join(ROOT, file)), file).toBe(true);
  const quoted = [`"${name}"`, `\`${name}\``];
  const source = readFileSync(join(ROOT, file), "utf8");
  expect(
    quoted.some((text) => source.includes(text)),
    `${file}: "${name}"`,
  ).toBe(true);
});
