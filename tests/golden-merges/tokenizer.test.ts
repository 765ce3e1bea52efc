// Merged vocabularies through the command: every token has the row that mergekit gives it.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseJsonObject, readTokenizer } from "@amalgam/checkpoint";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../harness/program.ts";
import { float32Values, readDirectory } from "./safetensors.ts";

const golden = fileURLToPath(new URL("../golden/tokenizer", import.meta.url));
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "amalgam-tokenizer-"));
  for (const name of ["base", "chat", "code"]) cpSync(join(golden, name), join(directory, name), { recursive: true });
  cpSync(join(golden, "recipes"), directory, { recursive: true });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function merge(recipe: string, out = recipe, ...options: string[]): Promise<string> {
  const output = join(directory, `out-${out}`);
  const { code, stdout, stderr } = await run("merge", join(directory, `${recipe}.yaml`), output, ...options);
  expect(code, stdout + stderr).toBe(0);
  return output;
}

const idsOf = (folder: string): ReadonlyMap<string, number> =>
  readTokenizer(parseJsonObject(readFileSync(join(folder, "tokenizer.json")), folder), folder).ids;
const configOf = (folder: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as Record<string, unknown>;

const EMBEDDINGS = ["model.embed_tokens.weight", "lm_head.weight"];
const WIDTH = 4;

test.for(["union", "union-without-base", "base", "path", "tokens"])(
  "%s: every token has mergekit's row, and the rest of the model mergekit's numbers",
  async (recipe) => {
    const output = await merge(recipe);
    const expected = join(golden, "expected", recipe);
    const [merged, wanted] = [readDirectory(output), readDirectory(expected)];
    const [ids, theirs] = [idsOf(output), idsOf(expected)];
    expect([...ids.keys()].toSorted()).toEqual([...theirs.keys()].toSorted());
    expect(configOf(output)["vocab_size"]).toBe(configOf(expected)["vocab_size"]);
    const near = (name: string, ours: ArrayLike<number>, other: ArrayLike<number>): void => {
      for (let i = 0; i < other.length; i++)
        expect(Math.abs(ours[i]! - other[i]!), name).toBeLessThanOrEqual(1e-6 * Math.abs(other[i]!) + 1e-7);
    };
    for (const [name, tensor] of wanted) {
      expect(merged.get(name)!.shape, name).toEqual(tensor.shape);
      const [values, numbers] = [float32Values(merged.get(name)!), float32Values(tensor)];
      if (!EMBEDDINGS.includes(name)) near(name, values, numbers);
      else {
        for (const [token, id] of ids) {
          const row = (all: Float32Array, at: number) => all.subarray(at * WIDTH, (at + 1) * WIDTH);
          near(`${name} ${token}`, row(values, id), row(numbers, theirs.get(token)!));
        }
      }
    }
  },
);

test("padding rows are all the same mean of the vocabulary's rows", async () => {
  const output = join(directory, "out-tokens");
  const values = float32Values(readDirectory(output).get("lm_head.weight")!);
  const size = idsOf(output).size;
  const rows = Array.from({ length: values.length / WIDTH }, (_, row) => [
    ...values.subarray(row * WIDTH, (row + 1) * WIDTH),
  ]);
  expect(rows.length % 16).toBe(0);
  expect(rows.length).toBeGreaterThan(size);
  const padding = rows.slice(size);
  for (const row of padding) expect(row).toEqual(padding[0]);
  const spread = (column: number) => rows.slice(0, size).map((row) => row[column]!);
  for (const [column, value] of padding[0]!.entries()) {
    expect(value).toBeGreaterThan(Math.min(...spread(column)));
    expect(value).toBeLessThan(Math.max(...spread(column)));
  }
});

test("the base's ids stay, merges are united, and vocabularies that would contradict them are left behind", async () => {
  writeFileSync(join(directory, "base", "merges.txt"), "");
  const output = await merge("union", "files");
  rmSync(join(directory, "base", "merges.txt"));
  const ids = idsOf(output);
  for (const [token, id] of idsOf(join(directory, "base"))) expect(ids.get(token), token).toBe(id);
  const { merges } = readTokenizer(parseJsonObject(readFileSync(join(output, "tokenizer.json")), ""), "");
  expect(merges.map(([left, right]) => left + right).every((token) => ids.has(token))).toBe(true);
  expect(readdirSync(output)).not.toContain("merges.txt");
});

test("the bytes do not depend on shards and threads", async () => {
  const bytes = async (out: string, ...options: string[]): Promise<Buffer> =>
    readFileSync(join(await merge("tokens", out, ...options), "model.safetensors"));
  const whole = await bytes("whole", "--shard-bytes", "1GB", "--threads", "1");
  expect((await bytes("cut", "--shard-bytes", "1B", "--threads", "2")).equals(whole)).toBe(true);
});

test("vocabularies of different sizes without a tokenizer section are told what to do", async () => {
  writeFileSync(
    join(directory, "without.yaml"),
    "merge_method: linear\nbase_model: base\nmodels: [{model: chat, parameters: {weight: 1}}]\n",
  );
  const { code, stderr } = await run("merge", join(directory, "without.yaml"), join(directory, "out-without"));
  expect(code).toBe(65);
  expect(stderr).toContain("its rows are tokens: merge the vocabularies with `tokenizer_source: union`");
});

test("the same tokenizers make no difference: files and weights are those of a merge without the section", async () => {
  cpSync(join(directory, "base"), join(directory, "same"), { recursive: true });
  const recipe = "merge_method: linear\nbase_model: base\nmodels: [{model: same, parameters: {weight: 1}}]\n";
  writeFileSync(join(directory, "plain.yaml"), recipe);
  writeFileSync(join(directory, "identical.yaml"), `${recipe}tokenizer_source: union\n`);
  const [plain, identical] = [await merge("plain"), await merge("identical")];
  for (const name of ["model.safetensors", "tokenizer.json", "tokenizer_config.json", "config.json"]) {
    expect(readFileSync(join(identical, name)).equals(readFileSync(join(plain, name))), name).toBe(true);
  }
});

test("a chat template is written by name, by text, or as most models have it", async () => {
  const config = join(directory, "chat", "tokenizer_config.json");
  const before = readFileSync(config, "utf8");
  writeFileSync(config, JSON.stringify({ ...JSON.parse(before), chat_template: "{{ messages[0] }}" }));
  const recipe = readFileSync(join(directory, "union.yaml"), "utf8");
  const template = async (value: string, out: string): Promise<unknown> => {
    writeFileSync(join(directory, `${out}.yaml`), recipe.replace("{", `{"chat_template": ${JSON.stringify(value)},`));
    const output = await merge(out);
    return (JSON.parse(readFileSync(join(output, "tokenizer_config.json"), "utf8")) as Record<string, unknown>)[
      "chat_template"
    ];
  };
  expect(await template("auto", "template-auto")).toBe("{{ messages[0] }}");
  expect(await template("{{ bos_token }}", "template-text")).toBe("{{ bos_token }}");
  expect(await template("chatml", "template-name")).toContain("<|im_start|>");
  writeFileSync(config, before);
});
