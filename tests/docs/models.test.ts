// docs/models.md lists the architectures that can be scored.
import { supportedArchitectures } from "@amalgam/evaluator";
import { expect, test } from "vitest";
import { tableAfter } from "./markdown.ts";

test("every architecture that can be scored has a row, and no other", () => {
  const rows = tableAfter("docs/models.md", "| family | `architectures` |");
  const named = rows.flatMap(([, names = ""]) => [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name!));
  expect(named.toSorted()).toEqual(supportedArchitectures);
});
