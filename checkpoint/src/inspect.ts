// What is in a checkpoint, as data for `amalgam inspect`. Headers only: no weight is read.
import type { Adapter } from "./adapter.ts";
import { alphaOf } from "./adapter-config.ts";
import type { Checkpoint, TensorRef } from "./checkpoint.ts";
import { type DType, elementCount } from "./dtype.ts";
import { layerOf } from "./layer.ts";
import { modulesOf } from "./modules.ts";
import type { TiedGroup } from "./tied.ts";

export interface Totals {
  readonly tensors: number;
  /** Elements; tied copies that are not stored are not counted. */
  readonly parameters: number;
  readonly bytes: number;
}

export interface CheckpointReport {
  readonly root: string;
  readonly architecture: string | undefined;
  readonly modelType: string | undefined;
  readonly total: Totals;
  readonly byDType: ReadonlyMap<DType, Totals>;
  /** Key undefined: tensors outside numbered layers. */
  readonly byLayer: ReadonlyMap<string | undefined, Totals>;
  /** The parts with layers of their own, as recipes name them under `modules`. */
  readonly modules: readonly (Totals & { readonly name: string; readonly layers: number })[];
  readonly tensors: readonly TensorRef[];
  readonly files: readonly { readonly name: string; readonly byteLength: number; readonly tensors: number }[];
  readonly sideFiles: readonly string[];
  readonly tied: readonly TiedGroup[];
}

export function inspectCheckpoint(checkpoint: Checkpoint): CheckpointReport {
  const tensors = [...checkpoint.tensors.values()];
  const architectures = checkpoint.config?.["architectures"];
  const architecture = Array.isArray(architectures) ? architectures[0] : undefined;
  const modelType = checkpoint.config?.["model_type"];
  return {
    root: checkpoint.root,
    architecture: typeof architecture === "string" ? architecture : undefined,
    modelType: typeof modelType === "string" ? modelType : undefined,
    total: totals(tensors),
    byDType: mapValues(
      Map.groupBy(tensors, ({ dtype }) => dtype),
      totals,
    ),
    byLayer: mapValues(
      Map.groupBy(tensors, ({ name }) => layerOf(name)),
      totals,
    ),
    modules: modulesOf(checkpoint.tensors.keys()).map(({ name, layers, outside }) => {
      const names = [...outside, ...[...layers.values()].flat()];
      const members = names.flatMap((tensor) => checkpoint.tensors.get(tensor) ?? []);
      return { name, layers: layers.size, ...totals(members) };
    }),
    tensors,
    files: checkpoint.files.map(({ name, byteLength }) => {
      return { name, byteLength, tensors: tensors.filter(({ file }) => file === name).length };
    }),
    sideFiles: checkpoint.sideFiles,
    tied: checkpoint.tied,
  };
}

/** One module that an adapter adds a product to. */
export interface AdaptedModule {
  readonly path: string;
  readonly rank: number;
  readonly alpha: number;
}

export interface AdapterReport {
  readonly root: string;
  /** As the adapter's author wrote it. */
  readonly baseModel: string | undefined;
  readonly total: Totals;
  readonly modules: readonly AdaptedModule[];
  /** Tensors of the base that it replaces. */
  readonly replaced: readonly string[];
}

export function inspectAdapter({ root, config, weights, modules, replaced }: Adapter): AdapterReport {
  return {
    root,
    baseModel: config.baseModel,
    total: totals([...weights.tensors.values()]),
    modules: modules.map(({ path, a }) => ({ path, rank: a.shape[0] ?? 0, alpha: alphaOf(config, path) })),
    replaced: [...replaced.keys()],
  };
}

function totals(tensors: readonly TensorRef[]): Totals {
  let parameters = 0;
  let bytes = 0;
  for (const { shape, byteLength } of tensors) {
    parameters += elementCount(shape);
    bytes += byteLength;
  }
  return { tensors: tensors.length, parameters, bytes };
}

function mapValues<K, V, W>(map: ReadonlyMap<K, V>, change: (value: V) => W): Map<K, W> {
  return new Map([...map].map(([key, value]) => [key, change(value)]));
}
