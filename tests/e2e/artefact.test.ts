// Artefacts with real processes and a real family of models: emr and tall_masks write them, materialize makes models of them.
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCheckpoint, openFileSource } from "@amalgam/checkpoint";
import { decodeElements, encodeElements, isFloatDType } from "@amalgam/kernels";
import { afterAll, beforeAll, expect, test } from "vitest";
import { digestsOf } from "../harness/digests.ts";
import { Program, run } from "../harness/program.ts";

const FAMILY = join(import.meta.dirname, "..", "..", "examples", "quickstart");
const BASE = join(FAMILY, "base");
const EXPERTS = ["expert-sentiment", "expert-speech", "expert-section", "expert-supersense"];
/** More than fit in one file of masks. */
const NINE = [...EXPERTS, ...EXPERTS, "expert-speech"].map((path, i) => ({ path, name: `task${i}` }));

let folder: string;
const at = (name: string): string => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "amalgam-artefact-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function writeRecipe(name: string, method: string, models: readonly { path: string; name: string }[], more = "") {
  const items = models.map(({ path, name }) => `  - { model: ${join(FAMILY, path)}, name: ${name} }`);
  await writeFile(at(name), `merge_method: ${method}\nbase_model: ${BASE}\nmodels:\n${items.join("\n")}\n${more}`);
  return at(name);
}
const three = EXPERTS.slice(0, 3).map((path) => ({ path, name: path }));

async function done(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args);
  expect(code, stderr).toBe(0);
  return stdout;
}

async function valuesOf(model: string): Promise<Map<string, Float64Array>> {
  const checkpoint = await openCheckpoint(model);
  const paths = new Map(checkpoint.files.map(({ name, path }) => [name, path]));
  const tensors = new Map<string, Float64Array>();
  for (const { name, dtype, file, offset, byteLength } of checkpoint.tensors.values()) {
    if (!isFloatDType(dtype)) continue;
    await using source = await openFileSource(paths.get(file)!);
    const bytes = new Uint8Array(byteLength);
    await source.readInto(bytes, offset);
    tensors.set(name, decodeElements(bytes, dtype));
  }
  return tensors;
}
const half = (values: ArrayLike<number>): Float64Array => decodeElements(encodeElements(values, "F16"), "F16");

test("emr: the model of a task is the base plus its scale times the largest changes that have its sign", async () => {
  const recipe = await writeRecipe("emr.yaml", "emr", three);
  await done("merge", recipe, at("emr"));
  await done("materialize", at("emr"), "--task", "expert-speech", "--base", BASE, "-o", at("speech"));
  const [base, merged, ...tuned] = await Promise.all(
    [BASE, at("speech"), ...three.map(({ path }) => join(FAMILY, path))].map(valuesOf),
  );
  const names = [...base!.keys()];
  const deltas = (name: string) => tuned.map((t) => t.get(name)!.map((x, j) => Math.fround(x - base!.get(name)![j]!)));
  let [norm, masked] = [0, 0];
  const vectors = new Map<string, { vector: Float64Array; kept: boolean[] }>();
  for (const name of names) {
    const all = deltas(name);
    const kept: boolean[] = [];
    const vector = all[0]!.map((_, j) => {
      const here = all.map((d) => d[j]!);
      const sign = Math.fround(Math.fround(here[0]! + here[1]!) + here[2]!) > 0 ? 1 : -1;
      const size = Math.max(0, ...here.filter((d) => d * sign > 0).map(Math.abs));
      kept[j] = here[1]! * sign > 0;
      norm += Math.abs(here[1]!);
      if (kept[j]) masked += size;
      return sign * size;
    });
    vectors.set(name, { vector: half(vector), kept });
  }
  const { tasks } = JSON.parse(await readFile(join(at("emr"), "artefact.json"), "utf8")) as {
    tasks: { name: string; scale: number }[];
  };
  const scale = tasks.find(({ name }) => name === "expert-speech")!.scale;
  expect(scale).toBeCloseTo(norm / masked, 10);
  for (const name of names) {
    const { vector, kept } = vectors.get(name)!;
    const expected = vector.map((v, j) => {
      const step = Math.fround((kept[j] ? v : 0) * Math.fround(scale));
      return Math.fround(base!.get(name)![j]! + step);
    });
    expect(merged!.get(name), name).toEqual(half(expected));
  }
}, 120_000);

test("an artefact has the same bytes however it was made: other shards and threads, killed and resumed", async () => {
  const recipe = await writeRecipe("nine.yaml", "emr", NINE);
  await done("merge", recipe, at("nine"));
  await done("merge", recipe, at("nine-small"), "--shard-bytes", "200000", "--threads", "1");
  const killed = ["merge", recipe, at("nine-killed"), "--shard-bytes", "200000", "--threads", "1"];
  {
    await using program = new Program(killed);
    await program.line("a shard was written", (line) => /^written \d+ of/.test(line) || undefined);
    await program.end("SIGKILL");
  }
  await done(...killed);
  const expected = await digestsOf(at("nine"));
  expect(Object.keys(expected)).toEqual(
    expect.arrayContaining(["artefact.json", "masks-0.safetensors", "masks-1.safetensors", "vector.safetensors"]),
  );
  expect(Object.keys(expected)).not.toContain("config.json");
  expect(await digestsOf(at("nine-small"))).toEqual(expected);
  expect(await digestsOf(at("nine-killed"))).toEqual(expected);
  await done("materialize", at("nine"), "--task", "task8", "--base", BASE, "-o", at("eighth"));
  await done(
    "materialize",
    at("nine"),
    "--task",
    "task1",
    "--base",
    BASE,
    "-o",
    at("first"),
    "--shard-bytes",
    "100000",
  );
  // The same model under two names, one in either file of masks.
  expect((await digestsOf(at("eighth")))["model.safetensors"]).toBe(
    (await digestsOf(at("first")))["model.safetensors"],
  );
}, 240_000);

test("tall_masks of one task gives its model back, and excluded tensors are the base's", async () => {
  const recipe = await writeRecipe(
    "tall.yaml",
    "tall_masks",
    three.slice(0, 1),
    "exclude: [word_embeddings]\nout_dtype: float32\n",
  );
  await done("merge", recipe, at("tall"));
  await done("materialize", at("tall"), "--task", "expert-sentiment", "--base", BASE, "-o", at("tall-model"));
  const [base, expert, found] = await Promise.all(
    [BASE, join(FAMILY, "expert-sentiment"), at("tall-model")].map(valuesOf),
  );
  for (const [name, values] of found!)
    expect(values, name).toEqual(name.includes("word_embeddings") ? base!.get(name) : expert!.get(name));
}, 120_000);

test("what is asked of an artefact and cannot be is refused in one message", async () => {
  const refused = async (code: number, text: string, ...args: string[]): Promise<void> => {
    const exit = await run(...args);
    expect(exit.stderr).toContain(text);
    expect(exit.code).toBe(code);
  };
  const materialize = ["materialize", at("emr"), "-o", at("none")];
  await refused(
    65,
    'has no task "speech" (tasks: expert-sentiment, ',
    ...materialize,
    "--task",
    "speech",
    "--base",
    BASE,
  );
  const other = at("other-base");
  await cp(BASE, other, { recursive: true });
  await cp(join(at("emr"), "vector.safetensors"), join(other, "model.safetensors"));
  const task = ["--task", "expert-speech"];
  await refused(65, "is not the base that the artefact was made from", ...materialize, ...task, "--base", other);
  await refused(
    65,
    "is not an artefact: it has no artefact.json",
    "materialize",
    BASE,
    ...task,
    "--base",
    BASE,
    "-o",
    at("none"),
  );
  const speech = join(FAMILY, "tasks", "speech.yaml");
  await refused(65, "make one of them a model with `amalgam materialize`", "eval", at("emr"), "--task", speech);
  const scored = await writeRecipe(
    "scored.yaml",
    "emr",
    three,
    `evaluate: { tasks: [${speech}] }\nsearch: { coefficients: {} }\n`,
  );
  await refused(65, "`emr` makes an artefact and no model that could be scored", "search", scored, at("none"));
  expect(await done("inspect", at("emr"))).toContain("an artefact of emr, not a model");
  await writeFile(join(other, "artefact.json"), '{"schemaVersion": 1, "method": "emr", "tasks": [{"name": "a"}]}');
  await refused(
    65,
    "the scale of a task must be a number",
    "materialize",
    other,
    "--task",
    "a",
    "--base",
    BASE,
    "-o",
    at("none"),
  );
}, 120_000);
