import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonLines } from "../testing/fixtures.ts";
import { parseTasks, type Task } from "./task.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function parse(header: string, file: string, data: Uint8Array): Task {
  const yaml = `name: t\n${header}\nsplits: { test: ${file} }\n`;
  return parseTasks([{ path: "t.yaml", yaml, files: new Map([[file, data]]) }]).get("t")!;
}

function problemsOf(header: string, file: string, data: Uint8Array): readonly string[] {
  try {
    parse(header, file, data);
    return [];
  } catch (error) {
    return (error as { problems: readonly string[] }).problems;
  }
}

const examplesOf = (task: Task): readonly unknown[] => task.splits.get("test")!.examples;
const classification = "kind: classification\nlabels: [bad, good]";

test("a user's own columns are named in the task, and its other columns do not matter", () => {
  const header = `${classification}\ncolumns: { text: Review, label: stars }`;
  const rows = jsonLines({ id: 7, Review: "fine", stars: "good" }, { id: 8, Review: "poor", stars: 0 });
  expect(examplesOf(parse(header, "d.jsonl", rows))).toEqual([
    { text: "fine", textPair: undefined, label: 1, line: 1 },
    { text: "poor", textPair: undefined, label: 0, line: 2 },
  ]);
  expect(problemsOf(header, "d.jsonl", jsonLines({ review: "fine", stars: 1 }))).toEqual([
    'd.jsonl:1: Review: is missing (did you mean "review"?)',
  ]);
});

test("labels are names or indexes, in CSV as in JSON; others are named with their lines", () => {
  const csv = 'text,label\n"a, ""b""\nc",good\nd,0\ne,2\nf,goood\n';
  expect(problemsOf(classification, "d.csv", bytes(csv))).toEqual([
    "d.csv:5: label 2 is not one of 0 to 1",
    'd.csv:6: unknown label "goood" (did you mean "good"?)',
  ]);
  const sound = csv.split("\n").slice(0, 4).join("\r\n");
  expect(examplesOf(parse(classification, "d.csv", bytes(sound)))).toMatchObject([
    { text: 'a, "b"\nc'.replace("\n", "\r\n"), label: 1, line: 2 },
    { text: "d", label: 0, line: 4 },
  ]);
});

test.each([
  ["text,label\na,good,more\n", /^d.csv:2: is not CSV \(/],
  ['text,label\n"a,good\n', /^d.csv:\d+: is not CSV \(/],
  ["text,text\na,b\n", 'd.csv:1: names the column "text" twice'],
  ["text,label\n", "d.csv: has no examples"],
  ["", "d.csv: has no examples"],
  ["\n\n", "d.csv: has no examples"],
])("a CSV file that is none is one clear error: %j", (csv, problem) => {
  const problems = problemsOf(classification, "d.csv", bytes(csv));
  expect(problems).toEqual([typeof problem === "string" ? problem : expect.stringMatching(problem)]);
});

test("whatever CSV fields hold comes back as it was", () => {
  const field = fc
    .string({ unit: "binary", maxLength: 8 })
    .filter((text) => text.isWellFormed() && !text.startsWith("\ufeff"));
  fc.assert(
    fc.property(fc.array(field, { minLength: 1, maxLength: 5 }), (texts) => {
      const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
      const csv = ["text,label", ...texts.map((text) => `${quoted(text)},good`)].join("\n");
      expect(examplesOf(parse(classification, "d.csv", bytes(csv)))).toMatchObject(texts.map((text) => ({ text })));
    }),
  );
});

test("choices are a list in a column, or texts with places for columns; answers are indexes or names", () => {
  const listed = parse(
    "kind: multiple_choice",
    "d.jsonl",
    jsonLines({ context: "Q", choices: [" a", " b"], answer: "b" }),
  );
  expect(examplesOf(listed)).toEqual([{ prompt: "Q", choices: [" a", " b"], label: 1, line: 1 }]);
  const header = `kind: multiple_choice
prompt: "Review: {{review}}\\nIt is {{ degree }}"
choices: [" bad", " good ({{degree}})"]
labels: [negative, positive]
answer: label`;
  const csv = "review,degree,label\nfine,2,positive\npoor,1,0\n";
  expect(examplesOf(parse(header, "d.csv", bytes(csv)))).toEqual([
    { prompt: "Review: fine\nIt is 2", choices: [" bad", " good (2)"], label: 1, line: 2 },
    { prompt: "Review: poor\nIt is 1", choices: [" bad", " good (1)"], label: 0, line: 3 },
  ]);
});

test.each([
  [{ context: "Q", choices: [" a"], answer: 0 }, "1 choice is nothing to choose from"],
  [
    { context: "Q", choices: "a", answer: 0 },
    "choices: must be a list of texts (CSV has none: name a column for each choice)",
  ],
  [{ context: "Q", choices: ["a", ""], answer: 0 }, "choice 1 is empty"],
  [{ context: "Q", choices: ["a", "b"], answer: 2 }, "label 2 is not one of 0 to 1"],
  [{ context: "Q", choices: ["a", "b"] }, "answer: is missing"],
  [{ context: null, choices: ["a", "b"], answer: 0 }, "context: Invalid input: expected string, received null"],
  [["a"], "is not a JSON object"],
])("an item that is no choice is named with its line: %j", (row, problem) => {
  expect(problemsOf("kind: multiple_choice", "d.jsonl", jsonLines(row))).toEqual([`d.jsonl:1: ${problem}`]);
});

test("texts and prompts are read, empty ones refused; one prompt may have several answers", () => {
  expect(examplesOf(parse("kind: perplexity\ntext: '{{a}} {{b}}'", "d.csv", bytes("a,b\n1,2\n")))).toEqual([
    { text: "1 2", line: 2 },
  ]);
  expect(problemsOf("kind: perplexity", "d.jsonl", jsonLines({ text: "" }))).toEqual(["d.jsonl:1: the text is empty"]);
  const rows = jsonLines({ prompt: "1+1=", answer: 2 }, { prompt: "Hi", answer: ["hello", "hi"] });
  expect(examplesOf(parse("kind: generation", "d.jsonl", rows))).toEqual([
    { prompt: "1+1=", answers: ["2"], line: 1 },
    { prompt: "Hi", answers: ["hello", "hi"], line: 2 },
  ]);
  expect(problemsOf("kind: generation", "d.jsonl", jsonLines({ prompt: "Hi", answer: [] }))).toEqual([
    "d.jsonl:1: answer: has no answer",
  ]);
});

test("wrong keys of every kind are told with their lines", () => {
  const data = jsonLines({ text: "x" });
  expect(problemsOf("kind: perplexity\nstride: 0\nlabels: [a]", "d.jsonl", data)).toEqual([
    expect.stringMatching(/^t.yaml:3: stride: /),
    'unknown key "labels"'.replace("", "t.yaml:4: "),
  ]);
  expect(problemsOf("kind: generation\nignore: [caps]\nprompt: '{{a'", "d.jsonl", data)).toEqual([
    expect.stringMatching(/^t.yaml:4: prompt: opens or closes a place {{column}} that has no other end/),
    expect.stringMatching(/^t.yaml:3: ignore.0: Invalid option/),
  ]);
  expect(problemsOf("kind: command\ncommand: [a]\nenvironment: ['A=B']\nfiles: [../x]", "d.jsonl", data)).toEqual([
    expect.stringMatching(/^t.yaml:4: environment.0: must be the name of a variable/),
    expect.stringMatching(/^t.yaml:5: files.0: must be a path inside the task's folder/),
  ]);
  expect(problemsOf("kind: multiple_choise", "d.jsonl", data)).toEqual([
    't.yaml:2: kind: must be one of classification, image_classification, multiple_choice, perplexity, generation, command (did you mean "multiple_choice"?)',
  ]);
});

test("a command's files must be there", () => {
  expect(problemsOf("kind: command\ncommand: [a]\nfiles: [score.py]", "d.jsonl", bytes(""))).toEqual([
    "t.yaml: files: score.py is missing",
  ]);
});
