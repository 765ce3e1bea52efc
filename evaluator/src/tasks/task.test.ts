import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { jsonLines } from "../testing/fixtures.ts";
import { parseTasks } from "./task.ts";
import { loadTasks } from "./task-files.ts";

const yaml = `name: mood
kind: classification
labels: [bad, good]
label_offset: 3
max_tokens: 16
splits: { validation: v.jsonl, test: data/t.jsonl }
`;
const good = jsonLines({ text: "fine", label: "good" }, { text: "a", text_pair: "b", label: "bad" });
const files = new Map([
  ["v.jsonl", good],
  ["data/t.jsonl", good],
]);

function problemsOf(source: string, data: ReadonlyMap<string, Uint8Array> = files): readonly string[] {
  try {
    parseTasks([{ path: "mood.yaml", yaml: source, files: data }]);
    return [];
  } catch (error) {
    return (error as { problems: readonly string[] }).problems;
  }
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "amalgam-task-"));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

test("a task has its labels, its slice of the head and its examples by split", () => {
  const task = parseTasks([{ path: "mood.yaml", yaml, files }]).get("mood")!;
  expect(task).toMatchObject({ name: "mood", labels: ["bad", "good"], labelOffset: 3, maxTokens: 16 });
  expect(task.splits.get("test")).toEqual({
    path: "data/t.jsonl",
    examples: [
      { text: "fine", textPair: undefined, label: 1, line: 1 },
      { text: "a", textPair: "b", label: 0, line: 2 },
    ],
  });
});

test("every problem of the YAML is reported with its line", () => {
  const source = `name: mood
kind: clasification
label: [bad, good]
labels: [good, good]
max_token: 16
label_offset: -1
splits:
  validation: ../v.jsonl
  test: /etc/passwd
`;
  expect(problemsOf(source)).toEqual([
    expect.stringMatching(/^mood.yaml:2: kind: /),
    "mood.yaml:4: labels: names a label twice",
    expect.stringMatching(/^mood.yaml:6: label_offset: /),
    "mood.yaml:8: splits.validation: must be a path inside the task's folder, without ..",
    "mood.yaml:9: splits.test: must be a path inside the task's folder, without ..",
    'mood.yaml:3: unknown key "label" (did you mean "labels"?)',
    'mood.yaml:5: unknown key "max_token" (did you mean "max_tokens"?)',
  ]);
});

test("YAML that cannot be parsed, or that is no mapping, is an error with its line", () => {
  expect(problemsOf("name: mood\nlabels: [a\n")).toEqual([expect.stringMatching(/^mood.yaml:\d+: /)]);
  expect(problemsOf("- a\n")).toEqual([expect.stringMatching(/^mood.yaml:1: .*object/)]);
});

test("every problem of the data is reported with its line", () => {
  const lines = [
    '{"text": "x", "label": "godo"}',
    '{"text": "x"',
    "",
    '{"text": 5, "label": "good"}',
    '{"text": "x", "text_pari": "y", "label": "good"}',
  ];
  const data = new Map([
    ["v.jsonl", new TextEncoder().encode(lines.join("\n"))],
    ["data/t.jsonl", Uint8Array.from([0x7b, 0xff])],
  ]);
  expect(problemsOf(yaml, data)).toEqual([
    'v.jsonl:1: unknown label "godo" (did you mean "good"?)',
    expect.stringMatching(/^v.jsonl:2: is not JSON/),
    expect.stringMatching(/^v.jsonl:4: text: /),
    'v.jsonl:5: unknown key "text_pari" (did you mean "text_pair"?)',
    expect.stringMatching(/^data\/t.jsonl: is not UTF-8 text/),
  ]);
});

test("a file that is wrong in every line is not listed line by line", () => {
  const data = new Map([...files, ["v.jsonl", jsonLines(...new Array(100).fill({ text: "x", label: "ugly" }))]]);
  const problems = problemsOf(yaml, data);
  expect(problems).toHaveLength(11);
  expect(problems.at(-1)).toBe("v.jsonl: ... and 90 more lines");
});

test("an empty data set and a file that was not given are errors", () => {
  expect(problemsOf(yaml, new Map([["v.jsonl", new TextEncoder().encode("\n\n")]]))).toEqual([
    "v.jsonl: has no examples",
    "mood.yaml: split test: data/t.jsonl is missing",
  ]);
});

test("no task at all, and two tasks of one name, are errors", () => {
  expect(() => parseTasks([])).toThrow("no task is given");
  const twice = ["a.yaml", "b.yaml"].map((path) => ({ path, yaml, files }));
  expect(() => parseTasks(twice)).toThrow('b.yaml: another task is named "mood" too');
});

test("tasks are read from their files", async () => {
  const path = await folder();
  await mkdir(join(path, "data"));
  await writeFile(join(path, "mood.yaml"), yaml);
  await writeFile(join(path, "v.jsonl"), good);
  await writeFile(join(path, "data/t.jsonl"), good);
  const tasks = await loadTasks([join(path, "mood.yaml")]);
  expect(tasks.get("mood")!.splits.get("validation")!.examples).toHaveLength(2);
});

test("missing files, links that leave the folder and problems of other tasks are reported together", async () => {
  const path = await folder();
  const outside = await folder();
  await writeFile(join(outside, "t.jsonl"), good);
  await writeFile(join(path, "mood.yaml"), yaml);
  await symlink(outside, join(path, "data"));
  await writeFile(join(path, "other.yaml"), "name: other\n");
  const loading = loadTasks(["mood.yaml", "other.yaml", "none.yaml"].map((name) => join(path, name)));
  await expect(loading).rejects.toThrow(
    /mood.yaml: split validation: v.jsonl: cannot read it: no such file or directory/,
  );
  await expect(loading).rejects.toThrow(
    "mood.yaml: split test: data/t.jsonl: lies outside of the folder of the file that names it",
  );
  await expect(loading).rejects.toThrow(/other.yaml:1: kind: /);
  await expect(loading).rejects.toThrow(/none.yaml: cannot be read/);
});
