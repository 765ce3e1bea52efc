// Opens a LoRA adapter as PEFT saves it: `adapter_config.json` and `adapter_model.safetensors` in a directory. What it makes of the
// tensors of a base is with-adapter.ts.
import { type AdapterConfig, readAdapterConfig } from "./adapter-config.ts";
import { type Checkpoint, openTensorFile, type TensorRef } from "./checkpoint.ts";
import { isFloat } from "./dtype.ts";
import { CheckpointError, throwProblems } from "./errors.ts";
import { openFolder } from "./folder.ts";
import { parseJsonObject } from "./json-file.ts";
import { maxConfigBytes } from "./limits.ts";
import type { ReadOptions } from "./source.ts";

/** The factors of one module's product, as they are stored. */
export interface AdapterModule {
  /** Path in the base's module tree, such as `model.layers.0.self_attn.q_proj`. */
  readonly path: string;
  /** [rank, ...] and [..., rank]. */
  readonly a: TensorRef;
  readonly b: TensorRef;
  /** Of an embedding, whose product is stored transposed. */
  readonly embedding: boolean;
}

export interface Adapter {
  readonly root: string;
  readonly config: AdapterConfig;
  /** The adapter's own file, as a checkpoint. */
  readonly weights: Checkpoint;
  readonly modules: readonly AdapterModule[];
  /** Tensors that take the place of the base's: biases and `modules_to_save`, by the base's name. */
  readonly replaced: ReadonlyMap<string, TensorRef>;
}

const weightsName = "adapter_model.safetensors";
const configName = "adapter_config.json";

/** Whether a location is a folder that PEFT saved an adapter to, and no checkpoint. */
export async function isAdapterDirectory(location: string): Promise<boolean> {
  const names = await openFolder(location)
    .then((folder) => folder?.list() ?? [])
    .catch((): string[] => []);
  return names.includes(configName) && !names.some((name) => name.startsWith("model.safetensors"));
}

/** Opens the folder of an adapter, at a path or a remote location. Throws CheckpointError or CheckpointProblems. */
export async function openAdapter(location: string, options: ReadOptions = {}): Promise<Adapter> {
  const folder = await openFolder(location, options);
  if (folder === undefined) throw lacks(location, configName, []);
  const { root } = folder;
  const names = await folder.list(options);
  for (const name of [configName, weightsName]) if (!names.includes(name)) throw lacks(root, name, names);
  const file = folder.shown(configName);
  const config = readAdapterConfig(parseJsonObject(await folder.read(configName, maxConfigBytes, options), file), file);
  const weights = await openTensorFile(await folder.locate(weightsName), options);
  return { root, config, weights, ...sortTensors(weights, folder.shown(weightsName)) };
}

function lacks(path: string, name: string, names: readonly string[]): CheckpointError {
  const rule = `is no LoRA adapter: it has no ${name}`;
  if (name === weightsName && names.includes("adapter_model.bin")) {
    const hint = "adapter_model.bin is a pickle, which can run code when loaded: save it again with safe_serialization";
    return new CheckpointError({ file: path, rule, hint });
  }
  return new CheckpointError({ file: path, rule, hint: "after the + comes the directory that PEFT saved" });
}

/** PEFT wraps the base twice; older versions name the adapter in every tensor. */
const PREFIX = "base_model.model.";
const FACTOR = /^(.+)\.lora_(embedding_)?([AB])(?:\.default)?(\.weight)?$/;
const SAVED = /^(.+?)(?:\.base_layer|\.modules_to_save(?:\.default)?)?\.(weight|bias)$/;

function sortTensors(weights: Checkpoint, file: string): Pick<Adapter, "modules" | "replaced"> {
  const problems: CheckpointError[] = [];
  const factors = new Map<string, { a?: TensorRef; b?: TensorRef; embedding: boolean }>();
  const replaced = new Map<string, TensorRef>();
  for (const tensor of weights.tensors.values()) {
    const refuse = (rule: string): void => {
      problems.push(new CheckpointError({ file, tensor: tensor.name, rule }));
    };
    if (!isFloat(tensor.dtype)) {
      refuse(`dtype ${tensor.dtype} is no float dtype`);
      continue;
    }
    const name = tensor.name.startsWith(PREFIX) ? tensor.name.slice(PREFIX.length) : tensor.name;
    const factor = FACTOR.exec(name);
    if (factor !== null) {
      const [, path = "", embedding, side] = factor;
      const both = factors.get(path) ?? { embedding: embedding !== undefined };
      factors.set(path, { ...both, [side === "A" ? "a" : "b"]: tensor });
      continue;
    }
    const [, path, parameter] = SAVED.exec(name) ?? [];
    if (path === undefined || parameter === undefined || name.includes(".lora_")) {
      refuse("is neither a factor of a LoRA product nor a weight or bias that takes the place of the base's");
    } else replaced.set(`${path}.${parameter}`, tensor);
  }
  const modules: AdapterModule[] = [];
  for (const [path, { a, b, embedding }] of factors) {
    if (a !== undefined && b !== undefined) modules.push({ path, a, b, embedding });
    else {
      const missing = a === undefined ? "A" : "B";
      const tensor = (a ?? b)?.name ?? path;
      problems.push(new CheckpointError({ file, tensor, rule: `the other factor, lora_${missing}, is missing` }));
    }
  }
  throwProblems(problems);
  return { modules, replaced };
}
