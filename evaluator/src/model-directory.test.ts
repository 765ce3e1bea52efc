import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readModelDirectory } from "./model-directory.ts";
import { createScorer } from "./scorer.ts";
import { parseTasks } from "./tasks/task.ts";
import { goldenDirectory, jsonLines, wordPiece } from "./testing/fixtures.ts";

async function copyOfGolden(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "amalgam-model-"));
  onTestFinished(() => rm(path, { recursive: true }));
  for (const file of ["config.json", "model.safetensors"]) await cp(join(goldenDirectory, file), join(path, file));
  return path;
}

test("a Hugging Face directory is scored as it lies on the disk", async () => {
  const path = await copyOfGolden();
  const tokenizer = wordPiece(["good", "bad"]);
  await writeFile(join(path, "tokenizer.json"), tokenizer.tokenizerJson);
  await writeFile(join(path, "tokenizer_config.json"), tokenizer.tokenizerConfig!);
  const model = await readModelDirectory(path);
  const yaml = "name: t\nkind: classification\nlabels: [a, b, c]\nmax_tokens: 8\nsplits: {test: t.jsonl}\n";
  const files = new Map([["t.jsonl", jsonLines({ text: "good", label: "a" }, { text: "bad bad", label: "b" })]]);
  const tasks = parseTasks([{ path: "t.yaml", yaml, files }]);
  await using scorer = await createScorer({ ...model, sideFiles: await model.sideFiles(), tasks, threads: 1 });
  expect(await scorer.score(model.weights, "t", "test")).toMatchObject({ items: 2 });
  expect([...model.weights.names()]).toContain("classifier.weight");
});

test("a directory without a tokenizer is refused with what to do", async () => {
  const model = await readModelDirectory(await copyOfGolden());
  await expect(
    createScorer({ ...model, sideFiles: await model.sideFiles(), tasks: new Map(), threads: 1 }),
  ).rejects.toThrow(
    /^tokenizer.json: is missing, and texts cannot be read without it \(a fast tokenizer's save_pretrained writes it\)/,
  );
});
