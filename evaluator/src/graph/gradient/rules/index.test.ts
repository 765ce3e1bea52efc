import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { rules } from "./index.ts";

test("docs/gradients.md lists the operators that have a rule", async () => {
  const page = await readFile(new URL("../../../../../docs/gradients.md", import.meta.url), "utf8");
  const list = page.slice(page.indexOf("<!-- operators -->"), page.indexOf("<!-- /operators -->"));
  expect([...list.matchAll(/`(\w+)`/g)].map(([, name]) => name)).toEqual(Object.keys(rules).toSorted());
});
