import { existsSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect, test, vi } from "vitest";
import { createScorer, type TaskScore } from "../scorer.ts";
import { parseTasks } from "../tasks/task.ts";
import { asWeights, bertConfig, randomWeights } from "../testing/fixtures.ts";

const config = bertConfig({ hidden: 8, layers: 1, heads: 2, vocabulary: 10, labels: 2 });
const weights = asWeights(randomWeights(config, 1));
const sideFiles = new Map([["config.json", Buffer.from(JSON.stringify(config))]]);
const data = Buffer.from("one\ntwo\n");

/** The score of a task that runs this JavaScript by Node. */
async function scoreBy(
  script: string,
  more = "",
  { signal, allowCommands = true }: { readonly signal?: AbortSignal; readonly allowCommands?: boolean } = {},
): Promise<TaskScore> {
  const yaml = `name: judge
kind: command
command: [${JSON.stringify(process.execPath)}, score.js, "{model}", "{task}", "{split}", "{data}"]
files: [score.js]
splits: { test: data.txt }
${more}`;
  const files = new Map([
    ["score.js", Buffer.from(script)],
    ["data.txt", data],
  ]);
  const tasks = parseTasks([{ path: "judge.yaml", yaml, files }]);
  await using scorer = await createScorer({ config, tasks, threads: 1, allowCommands, sideFiles });
  return await scorer.score(weights, "judge", "test", { ...(signal && { signal }) });
}

const print = (scores: unknown): string => `console.log(${JSON.stringify(JSON.stringify(scores))});`;
const folders = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith("amalgam-command-"));

test("a command is given a model directory, the names of task and split, and its data; nothing of it is left behind", async () => {
  const before = folders();
  const script = `
    const { readFileSync, readdirSync } = require("node:fs");
    const [model, task, split, data] = process.argv.slice(2);
    const bytes = readFileSync(model + "/model.safetensors");
    const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))));
    const seen = { files: readdirSync(model).sort(), tensors: Object.keys(header).length, task, split, here: readdirSync(".").sort() };
    console.error(JSON.stringify({ ...seen, model, lines: readFileSync(data, "utf8").trim().split("\\n").length }));
    process.exit(3);`;
  const failure = await scoreBy(script).catch((error: Error) => error.message);
  const said = JSON.parse(/it said: (.*)$/.exec(String(failure))![1]!) as Record<string, unknown>;
  expect(said).toMatchObject({
    files: ["config.json", "model.safetensors"],
    // The tensors and the metadata.
    tensors: [...weights.names()].length + 1,
    task: "judge",
    split: "test",
    here: ["data.txt", "score.js"],
    lines: 2,
  });
  expect(existsSync(String(said["model"]))).toBe(false);
  expect(folders().filter((name) => !before.includes(name))).toEqual([]);
});

test("the last line of what is printed is the score, with what its items brought", async () => {
  const scores = { score: 0.75, per_item: [1, 1, 0, 1] };
  const score = await scoreBy(`console.log("loading...");${print(scores)}`, "metric: accuracy\n");
  expect(score).toMatchObject({ task: "judge", split: "test", metric: "accuracy", items: 4, score: 0.75 });
  expect(score.perItem).toEqual(Uint8Array.from([1, 1, 0, 1]));
  expect(score.standardError).toBeGreaterThan(0);
  const other = await scoreBy(print({ score: 27.5, standard_error: 0.5, items: 100 }), "metric: bleu\n");
  expect(other).toMatchObject({ metric: "bleu", score: 27.5, standardError: 0.5, items: 100, perItem: undefined });
});

test("a command sees the variables that its task lists, its path and a home of its own, and no others", async () => {
  vi.stubEnv("JUDGE_LEVEL", "3");
  vi.stubEnv("JUDGE_SECRET", "hidden");
  const script = `
    const { JUDGE_LEVEL, JUDGE_SECRET, PATH, HOME, TMPDIR } = process.env;
    const score = JUDGE_LEVEL === "3" && JUDGE_SECRET === undefined && PATH !== undefined && HOME !== ${JSON.stringify(process.env["HOME"])} && HOME === TMPDIR;
    console.log(JSON.stringify({ score: Number(score), items: Object.keys(process.env).length }));`;
  try {
    const score = await scoreBy(script, "environment: [JUDGE_LEVEL]\nmetric: accuracy\n");
    expect(score).toMatchObject({ score: 1, items: 4 });
  } finally {
    vi.unstubAllEnvs();
  }
});

test.each([
  ["process.exit(2)", "", "ended with exit code 2"],
  ["throw new Error('no such benchmark')", "", /ended with exit code 1; it said: (.|\n)*no such benchmark/],
  ["process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 1e6)", "", "was ended by SIGTERM"],
  ["", "", /printed no JSON.*it printed nothing/],
  ["console.log('acc 0.7')", "", /printed no JSON.*it ends with "acc 0.7"/],
  [print([0.7]), "", "printed JSON that is no score"],
  [print({ score: "high" }), "", /printed JSON that is no score: score: /],
  [print({ score: 0.7, metric: "f1" }), "", /Unrecognized key: "metric"/],
  [print({ score: 0.7 }), "", "it needs standard_error as well, or per_item, or, of a fraction, items"],
  [print({ score: 70, items: 100 }), "metric: accuracy\n", "accuracy is a fraction from 0 to 1"],
  [print({ score: 0.7, per_item: [1, 0] }), "", "the mean of per_item is 0.5"],
  [print({ score: 0.5, items: 3, per_item: [1, 0] }), "", "per_item has 2 of 3 items"],
  ["setInterval(() => process.stdout.write('x'.repeat(1 << 20)), 0)", "", "printed more than 16 MiB, and was stopped"],
])("a command that prints no score is one clear error: %s", async (script, more, message) => {
  await expect(scoreBy(script, more)).rejects.toMatchObject({
    name: "EvaluatorError",
    problems: [expect.stringMatching(/^task judge: node: /)],
  });
  await expect(scoreBy(script, more)).rejects.toThrow(message);
});

test("a command that cannot be started is told so", async () => {
  const yaml = "name: judge\nkind: command\ncommand: [no-such-program]\nsplits: { test: data.txt }\n";
  const tasks = parseTasks([{ path: "judge.yaml", yaml, files: new Map([["data.txt", data]]) }]);
  await using scorer = await createScorer({ config, tasks, threads: 1, allowCommands: true });
  await expect(scorer.score(weights, "judge", "test")).rejects.toThrow(
    /^task judge: no-such-program: cannot be started \(.*ENOENT/,
  );
});

/** Starts a child that would live on, says its id, and hangs. */
const hangs = `
  const child = require("node:child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "inherit" });
  console.error("child " + child.pid);
  setInterval(() => {}, 1000);`;

async function expectGone(pid: number): Promise<void> {
  const alive = (): boolean => {
    try {
      process.kill(pid, 0);
      // One that nobody has waited for yet is dead all the same.
      return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
    } catch {
      return false;
    }
  };
  await vi.waitFor(() => expect(alive()).toBe(false), { timeout: 10_000, interval: 20 });
}

test("a command that hangs is stopped with all that it started", async () => {
  const failure = await scoreBy(hangs, "timeout_seconds: 1\n").catch((error: Error) => error.message);
  expect(failure).toMatch(
    /^task judge: node: had not ended after 1 s \(timeout_seconds\), and was stopped; it said: child \d+$/,
  );
  await expectGone(Number(/child (\d+)$/.exec(String(failure))![1]));
});

test("what a command leaves running ends with it, and does not hold it up", async () => {
  const left = hangs
    .replace("setInterval(() => {}, 1000);", "")
    .replace("console.error", "child.unref(); console.error");
  const failure = await scoreBy(`${left}; process.exit(5)`).catch((error: Error) => error.message);
  expect(failure).toMatch(/ended with exit code 5; it said: child \d+$/);
  await expectGone(Number(/child (\d+)$/.exec(String(failure))![1]));
});

test("an abort stops the command and rejects with the signal's reason", async () => {
  const abort = new AbortController();
  const scoring = scoreBy(hangs, "", { signal: abort.signal });
  const reason = new Error("stop now");
  await vi.waitFor(() => expect(folders().length).toBeGreaterThan(0), { interval: 10 });
  abort.abort(reason);
  await expect(scoring).rejects.toBe(reason);
});

test("without leave no command is run: a task file can come from anywhere", async () => {
  await expect(scoreBy("", "", { allowCommands: false })).rejects.toThrow(
    "task judge: runs a command, which a task file may not do by itself: say --allow-commands if you trust it",
  );
});

test("a command scores all items of its split, not a part of them", async () => {
  const yaml = "name: judge\nkind: command\ncommand: [x]\nsplits: { test: data.txt }\n";
  const tasks = parseTasks([{ path: "judge.yaml", yaml, files: new Map([["data.txt", data]]) }]);
  await using scorer = await createScorer({ config, tasks, threads: 1, allowCommands: true });
  const part = { pieces: 2, first: 0, end: 1 };
  await expect(scorer.score(weights, "judge", "test", { part })).rejects.toThrow("not a part of them");
});
