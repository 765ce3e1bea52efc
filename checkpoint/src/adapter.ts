// Opens a LoRA adapter as PEFT saves it: `adapter_config.json` and `adapter_model.safetensors` in a directory. What it makes of the
// tensors of a base is with-adapter.ts.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type AdapterConfig, readAdapterConfig } from "./adapter-config.ts";
import { type Checkpoint, openTensorFile, type TensorRef } from "./checkpoint.ts";
import { allowedRoots, containedPath } from "./contained-path.ts";
import { isFloat } from "./dtype.ts";
import { CheckpointError, throwProblems } from "./errors.ts";
import { parseJsonObject } from "./json-file.ts";
import { maxConfigBytes } from "./limits.ts";
import { openFileSource, type ReadOptions } from "./source.ts";
import { withSystemErrors } from "./system-error.ts";

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

/** Whether a path is a directory that PEFT saved an adapter to, and no checkpoint. */
export async function isAdapterDirectory(path: string): Promise<boolean> {
  const names = await readdir(path).catch((): string[] => []);
  return names.includes(configName) && !names.some((name) => name.startsWith("model.safetensors"));
}

/** Opens an adapter's directory. Throws CheckpointError or CheckpointProblems. */
export async function openAdapter(path: string, options: ReadOptions = {}): Promise<Adapter> {
  const names = await withSystemErrors(path, "list it", () => readdir(path));
  for (const name of [configName, weightsName]) if (!names.includes(name)) throw lacks(path, name, names);
  const roots = await allowedRoots(path);
  const config = await readConfig(path, roots, options);
  const weights = await openTensorFile(await containedPath(path, weightsName, roots), options);
  return { root: path, config, weights, ...sortTensors(weights, join(path, weightsName)) };
}

async function readConfig(path: string, roots: readonly string[], options: ReadOptions): Promise<AdapterConfig> {
  const file = join(path, configName);
  await using source = await openFileSource(await containedPath(path, configName, roots), {
    name: file,
    noFollow: true,
  });
  if (source.byteLength > maxConfigBytes) {
    throw new CheckpointError({ file, rule: `has ${source.byteLength} bytes, more than ${maxConfigBytes}` });
  }
  const bytes = new Uint8Array(source.byteLength);
  await source.readInto(bytes, 0, options);
  return readAdapterConfig(parseJsonObject(bytes, file), file);
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
