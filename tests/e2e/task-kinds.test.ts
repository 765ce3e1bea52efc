// Searches whose tasks are no classification: a language model by perplexity and choices, and commands that hang or print rubbish.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { run } from "../harness/program.ts";

const golden = fileURLToPath(new URL("../golden/tasks", import.meta.url));

interface Done {
  readonly state: string;
  readonly metric?: string;
  readonly candidates: readonly {
    readonly id: string;
    readonly role: string;
    readonly state: string;
    readonly problem?: string;
    readonly lostRace?: object;
    readonly scores?: readonly { readonly task: string; readonly metric: string; readonly score: number }[];
  }[];
}

/** Two language models of one family in a temporary folder: a golden one, and one with other embeddings. */
function family(): string {
  const directory = mkdtempSync(join(tmpdir(), "amalgam-task-kinds-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  for (const name of ["base", "expert"]) {
    cpSync(join(golden, "models/gpt2"), join(directory, name), { recursive: true });
    cpSync(join(golden, "tokenizers/gpt2"), join(directory, name), { recursive: true });
  }
  const weights = join(directory, "expert", "model.safetensors");
  const bytes = readFileSync(weights);
  const begin = 8 + Number(bytes.readBigUInt64LE(0));
  for (let at = begin; at < bytes.length; at += 4) bytes.writeFloatLE(0.7 * bytes.readFloatLE(at) + 0.01, at);
  writeFileSync(weights, bytes);
  mkdirSync(join(directory, "tasks"));
  return directory;
}

function recipe(directory: string, tasks: readonly string[], search: string): string {
  const path = join(directory, "recipe.yaml");
  const text = `merge_method: linear
models:
  - { model: ./base, name: base }
  - { model: ./expert, name: expert }
parameters: { normalize: false }
evaluate:
  tasks: [${tasks.map((task) => `tasks/${task}`).join(", ")}]
  split: test
search: ${search}
`;
  writeFileSync(path, text);
  return path;
}

const lines = (...rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

const doneOf = (stdout: string): Done => (JSON.parse(stdout.trim().split("\n").at(-1)!) as { done: Done }).done;

test("a language model is searched by perplexity and by choices, in races, and eval agrees with the search", async () => {
  const directory = family();
  const tasks = join(directory, "tasks");
  const data = JSON.parse(readFileSync(join(golden, "expected.json"), "utf8")) as { items: object[] };
  const texts = Array.from({ length: 24 }, (_, i) => ({ text: `The cat sees ${i} ${"coins ".repeat(1 + (i % 5))}` }));
  writeFileSync(join(tasks, "test.jsonl"), lines(...texts));
  writeFileSync(join(tasks, "choices.jsonl"), lines(...Array.from({ length: 4 }, () => data.items).flat()));
  writeFileSync(join(tasks, "coins.yaml"), "name: coins\nkind: perplexity\nsplits: { test: test.jsonl }\n");
  writeFileSync(join(tasks, "ends.yaml"), "name: ends\nkind: multiple_choice\nsplits: { test: choices.jsonl }\n");
  const path = recipe(directory, ["coins.yaml", "ends.yaml"], "{ trials: 6, parallel: 1, racing: true }");
  const out = join(directory, "out");
  const search = await run("search", path, out, "--json");
  expect(search.code, search.stderr).toBe(0);
  const done = doneOf(search.stdout);
  const final = done.candidates.find(({ role }) => role === "final")!;
  expect(final.scores).toMatchObject([
    { task: "coins", metric: "perplexity" },
    { task: "ends", metric: "accuracy" },
  ]);
  expect(done.candidates.filter(({ role }) => role === "trial").every(({ state }) => state === "scored")).toBe(true);
  const items = join(directory, "items.json");
  const files = ["coins.yaml", "ends.yaml"].map((name) => join(tasks, name));
  const scored = await run("eval", out, "--task", ...files, "--items-out", items, "--json");
  expect(scored.code, scored.stderr).toBe(0);
  const { scores } = JSON.parse(scored.stdout) as { scores: { score: number }[] };
  for (const [index, { score }] of scores.entries()) expect(score).toBeCloseTo(final.scores![index]!.score, 5);
  const written = JSON.parse(readFileSync(items, "utf8")) as { tasks: Record<string, { per_item: number[] }> };
  expect(written.tasks["coins"]!.per_item).toHaveLength(24);
  const table = await run("eval", out, "--task", ...files);
  expect(table.stdout).toMatch(/^coins +test +24 +perplexity +[\d.]+ ±[\d.]+/m);
  expect(table.stdout).toMatch(/^ends +test +20 +accuracy, % +[\d.]+ ±[\d.]+/m);
  const report = readFileSync(join(out, "report.html"), "utf8");
  expect(report).toContain("coins: perplexity; ends: accuracy, %");
}, 180_000);

test("a command that prints rubbish, then hangs, fails its trials with the reason; the search goes on", async () => {
  const directory = family();
  const tasks = join(directory, "tasks");
  const script = `
    const { existsSync, readFileSync, writeFileSync } = require("node:fs");
    const [model, counter] = process.argv.slice(2);
    const calls = existsSync(counter) ? Number(readFileSync(counter)) : 0;
    writeFileSync(counter, String(calls + 1));
    if (calls === 0) console.log("scores: high");
    else if (calls === 1) setInterval(() => {}, 1000);
    else {
      const config = JSON.parse(readFileSync(model + "/config.json"));
      const tokenizer = JSON.parse(readFileSync(model + "/tokenizer.json"));
      const bytes = readFileSync(model + "/model.safetensors");
      const mean = bytes.subarray(-64).reduce((sum, byte) => sum + byte, 0) / 64 / 255;
      if (config.model_type === "gpt2" && tokenizer.model.type === "BPE") console.log(JSON.stringify({ score: mean, standard_error: 0.01 }));
    }`;
  writeFileSync(join(tasks, "score.js"), script);
  writeFileSync(join(tasks, "data.txt"), "");
  const task = `name: judge
kind: command
command: [${process.execPath}, score.js, "{model}", ${join(directory, "calls")}]
files: [score.js]
timeout_seconds: 3
metric: agreement
splits: { test: data.txt }
`;
  writeFileSync(join(tasks, "judge.yaml"), task);
  const path = recipe(directory, ["judge.yaml"], "{ trials: 4, parallel: 1 }");
  const out = join(directory, "out");
  const refused = await run("search", path, out);
  expect(refused.code).toBe(65);
  expect(refused.stderr).toContain(
    "task judge: runs a command, which a task file may not do by itself: say --allow-commands",
  );
  const search = await run("search", path, out, "--allow-commands", "--json");
  expect(search.code, search.stderr).toBe(0);
  const { candidates, metric } = doneOf(search.stdout);
  expect(metric).toBe("agreement");
  expect(candidates.map(({ id, state }) => [id, state])).toEqual([
    ["t0", "failed"],
    ["t1", "failed"],
    ["t2", "scored"],
    ["t3", "scored"],
    ["final", "scored"],
  ]);
  expect(candidates[0]!.problem).toMatch(/^task judge: node: printed no JSON.*"scores: high"/);
  expect(candidates[1]!.problem).toMatch(/had not ended after 3 s \(timeout_seconds\), and was stopped/);
  const scored = await run("eval", out, "--task", join(tasks, "judge.yaml"), "--allow-commands");
  expect(scored.stdout).toMatch(/^judge +test +1 +[\d.]+ ±0\.010/m);
}, 180_000);

test("what no trial could be scored for is one clear error before any work", async () => {
  const directory = family();
  const base = join(directory, "base");
  writeFileSync(join(directory, "tasks", "mood.jsonl"), lines({ text: "good", label: "good" }));
  const task = "name: mood\nkind: classification\nlabels: [bad, good]\nsplits: { test: mood.jsonl }\n";
  writeFileSync(join(directory, "tasks", "mood.yaml"), task);
  const path = recipe(directory, ["mood.yaml"], "{ trials: 2, parallel: 1 }");
  const refusal = async (): Promise<string> => {
    const { code, stderr } = await run("search", path, join(directory, "out"));
    expect(code).toBe(65);
    return stderr.trim();
  };
  expect(await refusal()).toBe(
    "amalgam: task mood: GPT2LMHeadModel has no head that classifies texts: score it by `kind: multiple_choice`, with the labels as choices",
  );
  writeFileSync(join(base, "tokenizer.json"), '{"model": {"type": "WordSalad"}}');
  expect(await refusal()).toMatch(/^amalgam: tokenizer.json: is no tokenizer that can be loaded \(.*\)$/);
  const config = JSON.parse(readFileSync(join(base, "config.json"), "utf8")) as object;
  writeFileSync(join(base, "config.json"), JSON.stringify({ ...config, architectures: ["MoodForMusic"] }));
  expect(await refusal()).toMatch(
    /^amalgam: config.json: architectures: MoodForMusic cannot be run \(supported: .*\)$/,
  );
  writeFileSync(join(directory, "tasks", "mood.jsonl"), lines({ text: "good", label: "great" }));
  expect(await refusal()).toMatch(/^amalgam: .*mood.jsonl:1: unknown label "great"$/);
  writeFileSync(join(directory, "tasks", "mood.jsonl"), "");
  expect(await refusal()).toMatch(/^amalgam: .*mood.jsonl: has no examples$/);
}, 60_000);
