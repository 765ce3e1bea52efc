// Bad input ends each command with one clear message that names file, tensor and rule, a status that is not 0, and nothing
// changed on disk. The real binary; every rule of the safetensors header is tested in the checkpoint package.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { encodeSafetensors, float32, withHeader, writeSafetensors } from "./golden-merges/safetensors.ts";

const RECIPE = `merge_method: task_arithmetic
base_model: base
models:
  - { model: a, parameters: { weight: 0.5 } }
  - { model: b, parameters: { weight: 0.5 } }
`;
const EVALUATE = "evaluate: { tasks: [task.yaml], split: validation }\n";
const SEARCH = "search: { trials: 2, coefficients: { weight: { low: 0, high: 1 } } }\n";
const TASK = "name: t\nkind: classification\nlabels: [yes, no]\nsplits: { validation: validation.jsonl }\n";

const w = float32([4, 8], [...Array(32).keys()]);
const bias = float32([8], [...Array(8).keys()]);
const tensors = { "layer.bias": bias, "layer.weight": w };

const MAIN = fileURLToPath(new URL("../cli/src/main.ts", import.meta.url));

/** Runs a command to its end. The harness kills programs when a test ends, and does not know concurrent tests apart. */
function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [MAIN, ...args], (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      if (typeof code === "number") resolve({ code, stdout, stderr });
      else reject(error);
    });
  });
}

/** A folder with a family of tiny models, and a recipe that merges them: what each case spoils. */
class Workplace implements Disposable {
  readonly directory: string = mkdtempSync(join(tmpdir(), "amalgam-bad-"));

  constructor() {
    for (const model of ["base", "a", "b"]) {
      mkdirSync(this.path(model));
      writeSafetensors(this.path(model, "model.safetensors"), tensors);
      this.write(`${model}/config.json`, "{}");
    }
    this.write("recipe.yaml", RECIPE);
  }

  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  write(name: string, content: string | Uint8Array): void {
    writeFileSync(this.path(name), content);
  }

  /** Every file with its digest, every directory; hidden ones too. */
  async snapshot(): Promise<Record<string, string>> {
    const entries = await readdir(this.directory, { recursive: true, withFileTypes: true });
    const digest = async (path: string) =>
      createHash("sha256")
        .update(await readFile(path))
        .digest("hex");
    const pairs = entries.map(async (entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path, entry.isFile() ? await digest(path) : "directory"] as const;
    });
    return Object.fromEntries(await Promise.all(pairs));
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

interface Case {
  readonly name: string;
  readonly spoil?: (at: Workplace) => void;
  /** Merges `recipe.yaml` into `out` unless given. */
  readonly args?: (at: Workplace) => string[];
  /** Each must be in the message. */
  readonly says: readonly string[];
  /** 65, bad input, unless given. */
  readonly code?: number;
}

const model = (name: string, bytes: Uint8Array) => (at: Workplace) => at.write(`${name}/model.safetensors`, bytes);
const header = (text: string, dataBytes = 160) => model("a", withHeader(text, [new Uint8Array(dataBytes)]));
const recipe = (text: string) => (at: Workplace) => at.write("recipe.yaml", text);
const search = (at: Workplace) => ["search", at.path("recipe.yaml"), at.path("out")];
const a = "a/model.safetensors";

const weights: readonly Case[] = [
  {
    name: "a weights file that was cut short",
    spoil: (at) => truncateSync(at.path(a), 200),
    says: [a, "layer.weight", "truncated"],
  },
  { name: "a weights file with bytes after its end", spoil: (at) => appendFileSync(at.path(a), "x"), says: [a] },
  { name: "an empty weights file", spoil: model("a", new Uint8Array()), says: [a] },
  {
    name: "a header that claims more bytes than there are",
    spoil: model("a", Buffer.concat([Buffer.from("ffffffffffffff7f", "hex"), Buffer.alloc(64)])),
    says: [a, "header"],
  },
  { name: "a header that is not JSON", spoil: header("{'layer': oops}"), says: [a, "header is malformed at byte 1"] },
  {
    name: "a tensor that lies outside of the file",
    spoil: header('{"layer.bias":{"dtype":"F32","shape":[8],"data_offsets":[9000,9032]}}'),
    says: [a, "layer.bias"],
  },
  {
    name: "tensors that overlap",
    spoil: header(
      '{"layer.bias":{"dtype":"F32","shape":[8],"data_offsets":[0,32]},"layer.weight":{"dtype":"F32","shape":[4,8],"data_offsets":[16,144]}}',
    ),
    says: [a, "layer.weight"],
  },
  {
    name: "a shape whose product is larger than any file",
    spoil: header('{"layer.bias":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,160]}}'),
    says: [a, "layer.bias"],
  },
  {
    name: "a dtype that nobody knows",
    spoil: header('{"layer.bias":{"dtype":"F33","shape":[8],"data_offsets":[0,32]}}'),
    says: [a, "layer.bias", "F33"],
  },
  {
    name: "an index whose files leave the folder",
    spoil: (at) => {
      rmSync(at.path(a));
      at.write("secret.safetensors", encodeSafetensors(tensors));
      const weight_map = Object.fromEntries(Object.keys(tensors).map((name) => [name, "../secret.safetensors"]));
      at.write("a/model.safetensors.index.json", JSON.stringify({ weight_map }));
    },
    says: ["a/model.safetensors.index.json", "../secret.safetensors"],
  },
  {
    name: "weights that are a pickle",
    spoil: pickled,
    says: ["a: has neither model.safetensors", "pickles", "convert them"],
  },
  {
    name: "a tensor that is missing in one model",
    spoil: model("b", encodeSafetensors({ "layer.weight": w })),
    says: ["layer.bias", "b"],
  },
  {
    name: "a tensor of another shape",
    spoil: model("b", encodeSafetensors({ ...tensors, "layer.weight": { ...w, shape: [8, 4] } })),
    says: ["layer.weight", "4", "8", "b"],
  },
  {
    name: "a tensor of whole numbers where the others have weights",
    spoil: model("b", encodeSafetensors({ ...tensors, "layer.bias": { ...bias, dtype: "I32" } })),
    says: ["layer.bias", "I32", "b"],
  },
  {
    name: "weights that are not numbers",
    spoil: model("b", encodeSafetensors({ ...tensors, "layer.bias": float32([8], [0, 1, 2, Number.NaN, 4, 5, 6, 7]) })),
    says: ["b/model.safetensors", "layer.bias", "NaN", "element 3"],
  },
  {
    name: "Fisher information that is not there",
    spoil: recipe(RECIPE.replace("task_arithmetic", "fisher")),
    says: ["a/fisher.safetensors", "does not exist", "b/fisher.safetensors"],
  },
  {
    name: "a model that is not there",
    spoil: recipe(RECIPE.replace("model: b,", "model: c,")),
    says: ["c", "not exist"],
  },
];

function pickled(at: Workplace): void {
  rmSync(at.path(a));
  at.write("a/pytorch_model.bin", "pickle");
}

const recipes: readonly Case[] = [
  {
    name: "a recipe key that nobody knows",
    spoil: recipe(`${RECIPE}parameters: { lamda: 1 }\n`),
    says: ["recipe.yaml:6", "lamda", "did you mean `lambda`"],
  },
  {
    name: "a top-level key that nobody knows",
    spoil: recipe(`${RECIPE}serach: {}\n`),
    says: ["recipe.yaml:6", "serach", "did you mean `search`"],
  },
  {
    name: "a method that nobody knows",
    spoil: recipe(RECIPE.replace("task_arithmetic", "task_arithmetics")),
    says: ["recipe.yaml:1", "task_arithmetics", "did you mean `task_arithmetic`"],
  },
  { name: "a recipe that is not YAML", spoil: recipe("models: [a\nb: ]"), says: ["recipe.yaml"] },
  {
    name: "a recipe that is not there",
    spoil: (at) => rmSync(at.path("recipe.yaml")),
    says: ["recipe.yaml"],
    code: 66,
  },
  { name: "a search without a search section", args: search, says: ["recipe.yaml", "`search`", "amalgam merge"] },
  {
    name: "a merge of parameters that only a search knows",
    spoil: recipe(RECIPE.replaceAll(", parameters: { weight: 0.5 }", "") + EVALUATE + SEARCH),
    says: ["recipe.yaml", "`weight`", "amalgam search"],
  },
  {
    name: "a task file that is not there",
    spoil: recipe(RECIPE + EVALUATE + SEARCH),
    args: search,
    says: ["task.yaml"],
  },
  {
    name: "a label that the task does not have",
    spoil: (at) => {
      recipe(RECIPE + EVALUATE + SEARCH)(at);
      at.write("task.yaml", TASK);
      at.write("validation.jsonl", '{"text":"one","label":"yes"}\n{"text":"two","label":"maybe"}\n');
    },
    args: search,
    says: ["validation.jsonl:2", "maybe"],
  },
  {
    name: "task data outside of the task's folder",
    spoil: (at) => {
      recipe(RECIPE + EVALUATE + SEARCH)(at);
      at.write("task.yaml", TASK.replace("validation.jsonl", "../validation.jsonl"));
    },
    args: search,
    says: ["task.yaml:4", "splits.validation", "inside the task's folder"],
  },
];

const outputs: readonly Case[] = [
  {
    name: "an output directory with files of somebody else",
    spoil: (at) => {
      mkdirSync(at.path("out"));
      at.write("out/thesis.txt", "years of work");
    },
    args: (at) => ["merge", at.path("recipe.yaml"), at.path("out"), "--overwrite"],
    says: ["out", "not an output of amalgam", "choose another"],
    code: 73,
  },
  {
    name: "an output that is a file",
    spoil: (at) => at.write("out", "x"),
    says: ["out", "not a directory"],
    code: 73,
  },
  {
    name: "an output that is one of the inputs",
    args: (at) => ["merge", at.path("recipe.yaml"), at.path("b"), "--overwrite"],
    says: [join("b"), "input of this merge", "choose another"],
  },
  {
    name: "an output inside one of the inputs",
    args: (at) => ["merge", at.path("recipe.yaml"), at.path("b", "out")],
    says: [join("b", "out"), "lies inside the directory of b", "choose another"],
  },
  {
    name: "an output in what is not a directory",
    spoil: (at) => at.write("file", "x"),
    args: (at) => ["merge", at.path("recipe.yaml"), at.path("file", "out")],
    says: [join("file", "out"), "not a directory"],
    code: 73,
  },
  {
    name: "an output in new directories, of a merge that fails",
    spoil: model("b", encodeSafetensors({ ...tensors, "layer.bias": float32([8], Array(8).fill(Number.NaN)) })),
    args: (at) => ["merge", at.path("recipe.yaml"), at.path("new", "newer", "out")],
    says: ["layer.bias", "NaN"],
  },
];

/** A model that could be scored, were there a tokenizer. */
const CLASSIFIER = {
  architectures: ["BertForSequenceClassification"],
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 1,
  intermediate_size: 8,
  vocab_size: 10,
};
const nobody = ["--coordinator", "127.0.0.1:1"];
const others: readonly Case[] = [
  {
    name: "eval of a checkpoint without a tokenizer",
    spoil: (at) => {
      at.write("a/config.json", JSON.stringify(CLASSIFIER));
      at.write("task.yaml", TASK);
      at.write("validation.jsonl", '{"text":"one","label":"yes"}\n');
    },
    args: (at) => ["eval", at.path("a"), "--task", at.path("task.yaml"), "--split", "validation"],
    says: ["tokenizer.json"],
  },
  { name: "inspect of what is no checkpoint", args: (at) => ["inspect", at.directory], says: ["model.safetensors"] },
  {
    name: "diff with a damaged checkpoint",
    spoil: (at) => truncateSync(at.path(a), 200),
    args: (at) => ["diff", at.path("base"), at.path("a")],
    says: [a],
  },
  {
    name: "plan of a damaged checkpoint",
    spoil: (at) => truncateSync(at.path(a), 200),
    args: (at) => ["plan", at.path("recipe.yaml")],
    says: [a],
  },
  {
    name: "submit without a coordinator",
    args: (at) => ["submit", at.path("recipe.yaml"), at.path("out"), "--kind", "merge", ...nobody],
    says: ["127.0.0.1:1", "amalgam coordinator", "--coordinator"],
    code: 69,
  },
  ...["status", "watch x", "cancel x"].map((command) => ({
    name: `${command.split(" ")[0]} without a coordinator`,
    args: () => [...command.split(" "), ...nobody],
    says: ["127.0.0.1:1", "amalgam coordinator", "--coordinator"],
    code: 69,
  })),
  {
    name: "a coordinator without NATS",
    args: (at) => [
      "coordinator",
      "--nats",
      "nats://127.0.0.1:1",
      "--listen",
      "127.0.0.1:0",
      "--state",
      at.path("state"),
    ],
    says: ["nats://127.0.0.1:1", "nats-server -js", "--nats"],
    code: 69,
  },
  {
    name: "an evaluator without NATS",
    args: () => ["evaluator", "--nats", "nats://127.0.0.1:1"],
    says: ["nats://127.0.0.1:1", "nats-server -js", "--nats"],
    code: 69,
  },
];

describe.each([
  ["weights", weights],
  ["recipes and tasks", recipes],
  ["outputs", outputs],
  ["other commands", others],
])("bad input: %s", (_, cases) => {
  test.concurrent.for(cases)("$name", async ({ spoil, args, says, code = 65 }) => {
    using at = new Workplace();
    spoil?.(at);
    const before = await at.snapshot();
    const command = args?.(at) ?? ["merge", at.path("recipe.yaml"), at.path("out")];
    const result = await run(...command);
    expect(result, result.stderr).toMatchObject({ code });
    for (const part of says) expect(result.stderr).toContain(part);
    expect(result.stderr).toMatch(/^amalgam: /);
    // One message: a list of problems is indented, a stack would have lines that begin with "at".
    expect(result.stderr.trimEnd().split("\n").slice(1)).toEqual(
      expect.not.arrayContaining([expect.stringMatching(/^(?!recipe\.yaml:\d)(\S|\s+at )/)]),
    );
    expect(await at.snapshot()).toEqual(before);
  });
});

test("an earlier output that is an input is not replaced by its own merge", async () => {
  using at = new Workplace();
  const first = await run("merge", at.path("recipe.yaml"), at.path("out"));
  expect(first.code, first.stderr).toBe(0);
  cpSync(at.path("recipe.yaml"), at.path("first.yaml"));
  at.write("recipe.yaml", RECIPE.replace("model: b,", "model: out,"));
  const before = await at.snapshot();
  const second = await run("merge", at.path("recipe.yaml"), at.path("out"), "--overwrite");
  expect(second.stderr).toMatch(/out: is the directory of out, an input of this merge/);
  expect(second.code).toBe(65);
  expect(await at.snapshot()).toEqual(before);
});
