// Every recipe and task in the documentation is read by the code that reads users' files.
import { parseRecipe } from "@amalgam/coordinator";
import { parseTasks } from "@amalgam/evaluator";
import { expect, test } from "vitest";
import { blocksOf, PAGES, readPage } from "./markdown.ts";

// The recipe of a method that a page loads from a file is run by adding-a-method.test.ts.
const yaml = PAGES.flatMap(blocksOf).filter(({ language }) => language === "yaml");

// The tasks of docs/tasks.md are run by tasks.test.ts.
test.each(yaml.filter(({ note }) => !/^task\b/.test(note) && note !== "recipe of agreement"))(
  "$page: the recipe is one: $text",
  ({ page, text }) => {
    const recipe = parseRecipe(text, { fileName: page });
    expect(recipe.models.length).toBeGreaterThan(0);
  },
);

test.each(yaml.filter(({ note }) => note === "task"))("$page: the task is one: $text", ({ page, text }) => {
  const data = new TextEncoder().encode(/^ {4}(\{"text".*\})$/m.exec(readPage(page))![1]!);
  const files = new Map([...text.matchAll(/[\w.]+\.jsonl/g)].map(([name]) => [name, data]));
  const [task] = parseTasks([{ path: page, yaml: text, files }]).values();
  expect(task?.splits.get("validation")?.examples).toHaveLength(1);
});

test("the errors shown are those that a recipe with these mistakes gets", () => {
  const recipe = `merge_method: ties
base_model: ./base
models:
  - model: ./a
    parameters: { weight: 1, density: 0.2 }
  - { model: ./b, parameters: { weight: 0.5, densty: 0.2 } }
paramters: {}
`;
  const shown = [...readPage("docs/recipes.md").matchAll(/^ {4}(recipe\.yaml:\d+: .*)$/gm)].map(([, line]) => line);
  expect(shown).toHaveLength(2);
  expect(() => parseRecipe(recipe, { fileName: "recipe.yaml" })).toThrow(shown.join("\n"));
});
