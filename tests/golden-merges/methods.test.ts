// The published functions' numbers, through files and the command, at the precision of the float32 inputs.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../harness/program.ts";
import { float32, float32Values, type RawTensor, readDirectory, writeSafetensors } from "./safetensors.ts";

type Tensors = Readonly<Record<string, readonly number[] | readonly (readonly number[])[]>>;
interface Golden {
  readonly inputs: {
    readonly order: readonly string[];
    readonly shapes: Readonly<Record<string, readonly number[]>>;
    readonly base: Tensors;
    readonly task_vectors: readonly Tensors[];
  };
  readonly ties_official: {
    readonly byK: Readonly<Record<string, { readonly merged: Readonly<Record<string, readonly number[]>> }>>;
  };
  readonly fisher: {
    readonly F: readonly Tensors[];
    readonly coef: readonly number[];
    readonly normalized_favor_target: Tensors;
    readonly normalized_no_favor: Tensors;
    readonly raw_no_favor: Tensors;
  };
  readonly df_merge: { readonly lam: readonly number[]; readonly theta: Tensors };
}

const file = new URL("../golden/methods/golden_vectors.json", import.meta.url);
const golden = JSON.parse(readFileSync(file, "utf8")) as Golden;
const { order, shapes, base, task_vectors: taus } = golden.inputs;
const names = ["a", "b", "c"];
let directory: string;

const mapTensors = (values: (name: string) => readonly number[]): Record<string, RawTensor> =>
  Object.fromEntries(order.map((name) => [name, float32(shapes[name]!, values(name))]));

function writeModel(name: string, values: (tensor: string) => readonly number[]): void {
  mkdirSync(join(directory, name));
  writeSafetensors(join(directory, name, "model.safetensors"), mapTensors(values));
  writeFileSync(join(directory, name, "config.json"), "{}");
}

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "amalgam-methods-"));
  const flat = (tensors: Tensors, name: string): readonly number[] => tensors[name]!.flat();
  writeModel("base", (name) => flat(base, name));
  for (const [i, model] of names.entries()) {
    writeModel(model, (name) => flat(base, name).map((value, j) => value + flat(taus[i]!, name)[j]!));
    const fisher = mapTensors((name) => flat(golden.fisher.F[i]!, name));
    writeSafetensors(join(directory, model, "fisher.safetensors"), fisher);
  }
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface Case {
  readonly name: string;
  readonly method: string;
  readonly hasBase: boolean;
  readonly perModel?: (index: number) => Readonly<Record<string, number>>;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly expected: Tensors;
}

/** A merged task vector over the whole model, added to the base. */
function ontoBase(merged: readonly number[]): Tensors {
  const rest = [...merged];
  return Object.fromEntries(order.map((name) => [name, base[name]!.flat().map((value) => value + rest.shift()!)]));
}

const weights = (index: number): Readonly<Record<string, number>> => ({ weight: golden.fisher.coef[index]! });
const cases: readonly Case[] = [
  ...Object.entries(golden.ties_official.byK).map(([percent, { merged }]) => ({
    name: `ties_official keeping ${percent} percent`,
    method: "ties_official",
    hasBase: true,
    parameters: { density: Number(percent) / 100, merge: "mean" },
    expected: ontoBase(merged["mean"]!),
  })),
  ...(
    [
      ["normalized_favor_target", "l2", true],
      ["normalized_no_favor", "l2", false],
      ["raw_no_favor", "none", false],
    ] as const
  ).map(([key, normalize, favor_target]) => ({
    name: `fisher, ${key}`,
    method: "fisher",
    hasBase: false,
    perModel: weights,
    parameters: { normalize, favor_target },
    expected: golden.fisher[key],
  })),
  {
    name: "df_merge",
    method: "df_merge",
    hasBase: true,
    perModel: (index) => ({ weight: golden.df_merge.lam[index]! }),
    expected: golden.df_merge.theta,
  },
];

test.for(cases)("$name gives the published numbers", async (each) => {
  const recipe = {
    merge_method: each.method,
    ...(each.hasBase ? { base_model: "base" } : {}),
    models: names.map((model, index) => ({ model, ...(each.perModel ? { parameters: each.perModel(index) } : {}) })),
    ...(each.parameters ? { parameters: each.parameters } : {}),
  };
  const path = join(directory, `${each.name}.yaml`);
  const output = join(directory, `out ${each.name}`);
  // JSON is YAML.
  writeFileSync(path, JSON.stringify(recipe));
  // Several shards: statistics over the whole model cross them.
  const { code, stdout, stderr } = await run("merge", path, output, "--shard-bytes", "400B");
  expect(code, stdout + stderr).toBe(0);
  const merged = readDirectory(output);
  expect([...merged.keys()].toSorted()).toEqual([...order]);
  for (const name of order) {
    const values = float32Values(merged.get(name)!);
    for (const [i, want] of each.expected[name]!.flat().entries()) {
      const distance = Math.abs(values[i]! - want);
      expect(distance, `${name}[${i}]: ${values[i]} for ${want}`).toBeLessThanOrEqual(1e-6 * Math.abs(want) + 1e-7);
    }
  }
});
