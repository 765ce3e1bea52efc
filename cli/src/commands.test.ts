// The commands as people call them: the real binary in processes of its own.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { coordinatorSettings } from "@amalgam/coordinator/settings";
import { evaluatorSettings } from "@amalgam/evaluator/settings";
import { variableOf } from "@amalgam/runtime";
import { shardWorkerSettings } from "@amalgam/shard-worker/settings";
import { afterAll, expect, test } from "vitest";
import { runCli } from "./testing/run-cli.ts";

const quickstart = fileURLToPath(new URL("../../examples/quickstart", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "amalgam-cli-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const lines = (text: string): string[] => text.trimEnd().split("\n");
const objects = (text: string): Record<string, unknown>[] => lines(text).map((line) => JSON.parse(line));

const task = (name: string): string => join(quickstart, "tasks", `${name}.yaml`);
const base = join(quickstart, "base");
const expert = join(quickstart, "expert-section");
const MERGE = `merge_method: linear
models: [{ model: ${base}, parameters: { weight: 1 } }, { model: ${expert}, parameters: { weight: 3 } }]
`;
const SEARCH = `${MERGE}evaluate: { tasks: [${task("section")}], split: validation }
search: { trials: 40, coefficients: { weight: { low: 0.1, high: 1 } } }
`;

function recipe(text: string): string {
  const path = join(directory, "recipe.yaml");
  writeFileSync(path, text);
  return path;
}

test("help names every command, and costs nothing to load", async () => {
  const { code, stdout } = await runCli(["--help"]);
  expect(code).toBe(0);
  for (const command of [
    "merge",
    "materialize",
    "devices",
    "search",
    "plan",
    "eval",
    "inspect",
    "verify",
    "diff",
    "coordinator",
    "worker",
    "evaluator",
  ])
    expect(stdout).toMatch(new RegExp(`^ {2}${command} `, "m"));
  expect(stdout).toContain("Exit status:");
});

test.for([
  ["coordinator", coordinatorSettings],
  ["worker", shardWorkerSettings],
  ["evaluator", evaluatorSettings],
] as const)("help of %s names the variable of every setting", async ([role, { shape }]) => {
  const { stdout } = await runCli([role, "--help"]);
  for (const key of Object.keys(shape)) expect(stdout.replace(/\s+/g, " ")).toContain(variableOf(key));
});

test.for([
  [["merg"], "Did you mean merge?"],
  [["merge", "--thread", "2", "a", "b"], "Did you mean --threads?"],
  [["merge", "a"], "missing required argument 'out'"],
  [["merge", "a", "b", "--memory", "lots"], "512MiB"],
  [["merge", "a", "b", "--threads", "0"], "whole number from 1 up"],
] as const)("wrong usage, amalgam %s, is told and exits 64", async ([args, says]) => {
  const { code, stdout, stderr } = await runCli(args);
  expect({ code, stdout }).toEqual({ code: 64, stdout: "" });
  expect(stderr).toContain(says);
  expect(stderr).toMatch(/^amalgam: /);
});

test("a merge tells its sizes first and its output last; its JSON ends with done", async () => {
  const path = recipe(MERGE);
  const plain = await runCli(["merge", path, join(directory, "plain")]);
  expect(plain.code, plain.stderr).toBe(0);
  const told = lines(plain.stdout);
  expect(told[0]).toMatch(/^merge job [0-9a-f]{12}: linear, \d+ shards?, [\d.]+ MB in, [\d.]+ MB out$/);
  expect(told.at(-1)).toMatch(/^wrote .*plain: [\d.]+ MB of weights in /);
  const json = await runCli(["merge", path, join(directory, "json"), "--json"]);
  expect(json.code, json.stderr).toBe(0);
  const last = objects(json.stdout).at(-1);
  expect(last).toMatchObject({ done: { state: "done", kind: "merge", method: "linear" }, seconds: expect.any(Number) });
  expect(readdirSync(directory).filter((name) => name.startsWith("."))).toEqual([]);
  const again = await runCli(["merge", path, join(directory, "json"), "--json"]);
  expect(again.code).toBe(73);
  expect(objects(again.stdout)).toMatchObject([{ error: { message: expect.stringContaining("--overwrite") } }]);
  const replaced = await runCli(["merge", path, join(directory, "json"), "--overwrite"]);
  expect(replaced.code, replaced.stderr).toBe(0);
});

test("Ctrl-C stops a search with one line; the same command goes on, an edited recipe starts anew", async () => {
  const out = join(directory, "stopped");
  const path = recipe(SEARCH);
  const stopped = await runCli(["search", path, out], { at: "(2/40)", signal: "SIGINT" });
  expect(stopped).toMatchObject({ code: 130, stderr: "amalgam: stopped; run the same command again to go on\n" });
  const resumed = await runCli(["search", path, out, "--json"], { at: '"t3"', signal: "SIGTERM" });
  expect(resumed.code).toBe(143);
  const told = objects(resumed.stdout).flatMap(({ candidate }) => (candidate ? [candidate as { id: string }] : []));
  for (const [, trial] of stopped.stdout.matchAll(/^trial (t\d+) /gm)) {
    // Told once, in the first view: it was not evaluated again.
    expect(told.filter(({ id }) => id === trial)).toMatchObject([{ state: "scored" }]);
  }
  const edited = await runCli(["search", recipe(SEARCH.replace("trials: 40", "trials: 3")), out]);
  expect(edited.code, edited.stderr).toBe(0);
  expect(edited.stdout).toContain("starting anew");
  expect(edited.stdout).toContain("report        ");
  expect(readdirSync(directory).filter((name) => name.startsWith("."))).toEqual([]);
  expect(readdirSync(out)).toEqual(expect.arrayContaining(["report.html", "search.json", "model.safetensors"]));
});

test("verify reads a merged model, and names what is no longer what was written", async () => {
  const out = join(directory, "verified");
  expect((await runCli(["merge", recipe(MERGE), out])).code).toBe(0);
  const good = await runCli(["verify", out]);
  expect(good).toMatchObject({ code: 0, stdout: expect.stringMatching(/\d+ tensors and \d+ files are those/) });
  const weights = join(out, "model.safetensors");
  const bytes = readFileSync(weights);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(weights, bytes);
  writeFileSync(join(out, "notes.txt"), "mine");
  const bad = await runCli(["verify", out]);
  expect(bad.code).toBe(65);
  expect(bad.stderr).toMatch(/model\.safetensors: tensor "[^"]+": its sha256 is not the manifest's/);
  expect(bad.stderr).toMatch(/notes\.txt: is in the directory but not in the manifest/);
  const model = await runCli(["verify", base]);
  expect(model).toMatchObject({ code: 65, stderr: expect.stringContaining("is not an output of amalgam") });
  const nothing = await runCli(["verify", join(directory, "nothing")]);
  expect(nothing).toMatchObject({ code: 66, stderr: expect.stringContaining("no such file or directory") });
});

test("plan tells of weights that merge to nothing, and diff of models that share nothing", async () => {
  const planned = await runCli(["plan", recipe(MERGE.replace("weight: 3", "weight: -1"))]);
  expect(planned).toMatchObject({ code: 65, stderr: expect.stringContaining("weights that do not cancel") });
  const llama = fileURLToPath(new URL("../../tests/golden/mergekit/inputs/base", import.meta.url));
  const compared = await runCli(["diff", base, llama]);
  expect(compared).toMatchObject({ code: 65, stderr: expect.stringContaining("have no tensor in common") });
});

test("memory that has no room for the planner's shards makes smaller ones, with the same bytes", async () => {
  const weights = async (out: string, ...options: string[]): Promise<Buffer> => {
    const path = join(directory, out);
    const { code, stderr } = await runCli(["merge", recipe(MERGE), path, "--threads", "2", ...options]);
    expect(code, stderr).toBe(0);
    return readFileSync(join(path, "model.safetensors"));
  };
  const roomy = await weights("roomy");
  expect((await weights("tight", "--memory", "1MiB")).equals(roomy)).toBe(true);
});

test("plan, inspect and diff say what there is, as text and as JSON", async () => {
  const planned = await runCli(["plan", recipe(SEARCH)]);
  expect(planned.stdout).toMatch(/^method +linear$/m);
  expect(planned.stdout).toMatch(/^search +40 trials/m);
  expect(planned.stdout).toMatch(/^time +about .* for each merge, on \d+ threads of this machine/m);
  const [plan] = objects((await runCli(["plan", recipe(SEARCH), "--json"])).stdout);
  expect(plan).toMatchObject({ method: "linear", search: { trials: 40 }, estimate: { seconds: expect.any(Number) } });
  const inspected = await runCli(["inspect", base]);
  expect(inspected.stdout).toMatch(/^bert\.encoder\.layer\.0 /m);
  const [report] = objects((await runCli(["inspect", base, "--json"])).stdout);
  expect(report).toMatchObject({ total: { tensors: expect.any(Number) }, byLayer: expect.any(Array) });
  const apart = await runCli(["diff", base, expert]);
  expect(lines(apart.stdout).at(-1)).toMatch(/^all /);
  const [distance] = objects((await runCli(["diff", base, base, "--json"])).stdout);
  expect(distance).toMatchObject({ total: { l2: 0, maxAbs: 0 } });
});

test("eval scores tasks with their mean, and writes the logits of one", async () => {
  const options = ["--split", "validation", "--threads", "1"];
  const several = await runCli(["eval", base, "--task", task("section"), task("speech"), ...options]);
  expect(several.code, several.stderr).toBe(0);
  expect(lines(several.stdout).at(-1)).toMatch(/^mean +\d+\.\d ±\d+\.\d$/);
  const file = join(directory, "logits.json");
  const one = await runCli(["eval", base, "--task", task("section"), ...options, "--logits", file, "--json"]);
  expect(one.code, one.stderr).toBe(0);
  const [{ scores }] = objects(one.stdout) as [{ scores: { items: number }[] }];
  const { items } = JSON.parse(readFileSync(file, "utf8")) as { items: { text: string; logits: number[] }[] };
  expect(items.length).toBe(scores[0]!.items);
  expect(items[0]).toEqual({ text: expect.any(String), logits: expect.arrayContaining([expect.any(Number)]) });
  const unknown = await runCli(["eval", base, "--task", task("section"), "--split", "train"]);
  expect(unknown).toMatchObject({ code: 65, stderr: expect.stringContaining('no split "train"; it has') });
});
