/** A tiny job on disk: a model of one file, its recipe and a task; and the coordinator that runs it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { layoutFile, type TensorSpec } from "@amalgam/checkpoint";
import { ShardService } from "@amalgam/proto";
import { type Bus, createClientPool, createLogger, Registry } from "@amalgam/runtime";
import type { JobSpec } from "../../job/events.ts";
import { type Coordinator, createCoordinator } from "../coordinator.ts";

const TENSORS: TensorSpec[] = [
  { name: "layers.0.weight", dtype: "F32", shape: [2, 65_536] },
  { name: "layers.1.weight", dtype: "F32", shape: [2, 65_536] },
  { name: "head.weight", dtype: "F32", shape: [7, 5] },
];

/** Writes a model with a value for each element. */
export function writeModel(directory: string, valueAt: (element: number) => number): void {
  mkdirSync(directory, { recursive: true });
  const layout = layoutFile(TENSORS);
  const bytes = new Uint8Array(layout.fileBytes);
  bytes.set(layout.header);
  for (const { begin, end } of layout.tensors.values()) {
    bytes.set(new Uint8Array(Float32Array.from({ length: (end - begin) / 4 }, (_, at) => valueAt(at)).buffer), begin);
  }
  writeFileSync(join(directory, "model.safetensors"), bytes);
  writeFileSync(join(directory, "config.json"), JSON.stringify({ model_type: "bert", num_hidden_layers: 2 }));
}

/** A model `m`, and a task `good` with validation and test data. */
export function writeInputs(directory: string): void {
  writeModel(join(directory, "m"), (element) => Math.sin(element));
  const splits = "splits: {validation: v.jsonl, test: t.jsonl}\n";
  writeFileSync(join(directory, "good.yaml"), `name: good\n${splits}`);
  for (const file of ["v.jsonl", "t.jsonl"]) writeFileSync(join(directory, file), "{}\n");
}

/** A weighted mean of one model is that model, whatever the weight: what is merged can be copied. */
export const MERGE = "merge_method: linear\nmodels: [{model: m, parameters: {weight: 2}}]\n";
export const SEARCH = `merge_method: linear
models: [{model: m}]
search:
  trials: 4
  parallel: 2
  coefficients: {weight: {low: 0.1, high: 1}}
evaluate:
  tasks: [good.yaml]
  split: validation
`;

/** A block of 65 536 elements, the least that a tensor is cut into: five shards. */
const SHARD_BYTES = 270_000;

export function jobSpec(directory: string, spec: Partial<JobSpec> = {}): JobSpec {
  return {
    kind: "merge",
    recipe: MERGE,
    recipeName: "recipe.yaml",
    baseDirectory: directory,
    outputDirectory: join(directory, "out"),
    overwrite: false,
    shardBytes: SHARD_BYTES,
    digestInputs: false,
    stagesDirectory: "",
    backend: "wasm",
    ...spec,
  };
}

export function openCoordinator(stateDirectory: string, bus: Bus): Coordinator {
  return createCoordinator({
    stateDirectory,
    bus,
    shardClients: createClientPool(ShardService),
    address: "local:coordinator",
    log: createLogger({ role: "test", level: "silent" }),
    registry: new Registry(),
  });
}
