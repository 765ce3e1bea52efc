// `amalgam fisher` as people call it: the real binary on the quickstart's experts.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openCheckpoint, openTensorFile } from "@amalgam/checkpoint";
import { afterAll, expect, test } from "vitest";
import { runCli } from "../testing/run-cli.ts";

const quickstart = fileURLToPath(new URL("../../../examples/quickstart", import.meta.url));
const expert = join(quickstart, "expert-speech");
const task = join(quickstart, "tasks/speech.yaml");
const directory = mkdtempSync(join(tmpdir(), "amalgam-fisher-cli-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test("it writes a file that a merge takes, the same bytes with any number of threads", async () => {
  const out = join(directory, "estimate");
  const args = ["fisher", expert, "--task", task, "--items", "10", "--json"];
  const { code, stdout, stderr } = await runCli([...args, "-o", out, "--threads", "1"]);
  expect(code, stderr).toBe(0);
  const file = join(out, "fisher.safetensors");
  const { tensors } = await openCheckpoint(expert);
  expect(JSON.parse(stdout)).toMatchObject({
    ...{ model: expert, file, task: "speech", split: "validation", items: 10, estimator: "exact", seed: 0 },
    tensors: tensors.size,
  });
  const found = await openTensorFile(file);
  const shapes = (all: typeof tensors) => new Map([...all].map(([name, { shape }]) => [name, shape]));
  expect(shapes(found.tensors)).toEqual(shapes(tensors));
  expect(readdirSync(out)).toEqual(["fisher.safetensors"]);

  const again = join(directory, "again.safetensors");
  expect((await runCli([...args, "-o", again, "--threads", "3"])).code).toBe(0);
  expect(readFileSync(again).equals(readFileSync(file))).toBe(true);

  const recipe = join(directory, "recipe.yaml");
  const model = (name: string, fisher: string): string => `{ model: ${join(quickstart, name)}, fisher: ${fisher} }`;
  const models = [model("expert-speech", file), model("expert-section", "expert-section/fisher.safetensors")];
  writeFileSync(
    recipe,
    `merge_method: fisher\nmodels: [${models[0]}, ${models[1]!.replace("fisher: ", `fisher: ${quickstart}/`)}]\nparameters: { normalize: l2 }\n`,
  );
  const merged = await runCli(["merge", recipe, join(directory, "merged")]);
  expect(merged.code, merged.stderr).toBe(0);
});

test("a data file needs no task where its labels are the model's, and patterns choose tensors", async () => {
  const data = join(directory, "speech.jsonl");
  const rows = [
    { text: "He : He considered some interesting excursion", label: "speech:pronoun" },
    { text: "dimly : The Golden Calf was dimly lit", label: "speech:adverb" },
  ];
  writeFileSync(data, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const file = join(directory, "some.safetensors");
  const options = [
    "--estimator",
    "empirical",
    "--dtype",
    "bf16",
    "--tensors",
    "^classifier",
    "--tensors",
    "pooler.*bias",
  ];
  const { code, stdout, stderr } = await runCli(["fisher", expert, "--data", data, ...options, "-o", file]);
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(
    /^empirical Fisher information of 5159 parameters on 2 items of speech.jsonl, validation\nwrote /,
  );
  const { tensors } = await openTensorFile(file);
  expect([...tensors.values()].map(({ name, dtype }) => `${name} ${dtype}`)).toEqual([
    "bert.pooler.dense.bias BF16",
    "classifier.bias BF16",
    "classifier.weight BF16",
  ]);
});

test("items need no labels where none are asked for", async () => {
  const data = join(directory, "texts.jsonl");
  writeFileSync(data, '{"text": "He : He considered some"}\n{"text": "dimly : The Golden Calf was dimly lit"}\n');
  const args = ["fisher", expert, "--task", task, "--data", data, "--tensors", "classifier", "-o"];
  const exact = await runCli([...args, join(directory, "exact.safetensors")]);
  expect(exact.code, exact.stderr).toBe(0);
  const empirical = await runCli([...args, join(directory, "empirical.safetensors"), "--estimator", "empirical"]);
  expect(empirical.code).toBe(65);
  expect(empirical.stderr).toContain("texts.jsonl:1: label: ");
});

test.for([
  [[], 73, "expert-speech/fisher.safetensors: is there already (--overwrite replaces it)"],
  [["-o", "x"], 65, "name what the model is to be tried on, with --task, --data or both"],
  [["-o", "x", "--task", task, "--split", "train"], 65, 'task speech: has no split "train"; it has validation, test'],
  [["-o", "x", "--task", task, "--tensors", "lm_head"], 65, "--tensors lm_head: matches no tensor of"],
  [["-o", "x", "--task", task, "--tensors", "("], 64, "Invalid regular expression"],
  [["-o", "x", "--data", "nowhere.jsonl"], 66, "nowhere.jsonl: cannot be read"],
  [["-o", "x", "--task", task, "--estimator", "best"], 64, "Allowed choices are exact, sampled, empirical"],
] as const)("refused before any work: %s", async ([args, status, says]) => {
  const located = args.map((arg) => (arg === "x" ? join(directory, "x") : arg));
  const { code, stdout, stderr } = await runCli(["fisher", expert, ...located]);
  expect(stderr).toContain(says);
  expect({ code, stdout }).toEqual({ code: status, stdout: "" });
});
