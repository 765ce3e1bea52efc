// Every task of docs/tasks.md is run as it stands there, on its data, by the models that it is for.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createScorer, loadTasks, readModelDirectory } from "@amalgam/evaluator";
import { afterAll, beforeAll, expect, test } from "vitest";
import { blocksOf, ROOT } from "./markdown.ts";

const blocks = blocksOf("docs/tasks.md");
const tasks = blocks.flatMap(({ note, text }) => {
  const models = /^task of (.*)$/.exec(note)?.[1]?.split(" ") ?? [];
  return models.map((model) => ({ model, text, name: /^name: (.*)$/m.exec(text)![1]! }));
});

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "amalgam-tasks-"));
  for (const { note, text } of blocks) {
    const file = /^data (.*)$/.exec(note)?.[1];
    if (file !== undefined) writeFileSync(join(folder, file), text);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function readModel(model: string): ReturnType<typeof readModelDirectory> {
  const golden = join(ROOT, "tests/golden/tasks");
  if (model === "encoder" || model === "commands") {
    return readModelDirectory(join(ROOT, "examples/quickstart/expert-sentiment"));
  }
  const read = await readModelDirectory(join(golden, "models", model));
  const text = (file: string): string => readFileSync(join(golden, "tokenizers", model, file), "utf8");
  return {
    ...read,
    tokenizer: { tokenizerJson: text("tokenizer.json"), tokenizerConfig: text("tokenizer_config.json") },
  };
}

test("there is a task of every kind that reads texts, and one that runs a command", () => {
  const kinds = new Set(tasks.map(({ text }) => /^kind: (.*)$/m.exec(text)![1]));
  expect([...kinds].sort()).toEqual(["classification", "command", "generation", "multiple_choice", "perplexity"]);
});

test.each(tasks)("$name is scored with $model", async ({ model, text, name }) => {
  const file = join(folder, `${name}.yaml`);
  writeFileSync(file, text);
  const set = await loadTasks([file]);
  const { sideFiles, ...read } = await readModel(model);
  const stored = new Set(read.weights.names());
  const allowed = { allowCommands: model === "commands", sideFiles: await sideFiles() };
  const has = (tensor: string): boolean => stored.has(tensor);
  await using scorer = await createScorer({ ...read, ...allowed, stored: has, tasks: set, threads: 1 });
  const score = await scorer.score(read.weights, name, "test");
  expect(score.items).toBe(set.get(name)!.splits.get("test")!.examples.length || 3);
  expect(score.standardError).toBeGreaterThan(0);
  if (model === "commands") expect(score.score).toBeCloseTo(2 / 3, 12);
});
