/** What a plan is: the slots and files that go in, the tensors that come out, and the shards in between. Plain data; see `planJob`. */
import type { Checkpoint, DType, JsonObject, OutputLayout } from "@amalgam/checkpoint";
import type { GraphSpec, MergeGraph } from "@amalgam/kernels";
import type { InputFile, Shard } from "@amalgam/proto";
import type { LayerPlace, Pins, Recipe, RecipeVariant } from "../recipe/index.ts";
import type { PlannedDerivation } from "./derivations.ts";

/** One distinct input of a job. Slots are numbered: the base, the models, then the companions of each model. */
export interface Slot {
  readonly kind: "base" | "model" | "companion";
  /** For messages: "base", the model's name, or "fisher of a". */
  readonly name: string;
  /** As the recipe writes it, or where a companion is by default. */
  readonly path: string;
  /** Kind of companion, e.g. `fisher`, and the path of its model. */
  readonly companion?: { readonly kind: string; readonly modelPath: string };
  /** False for a companion that the recipe does not name. */
  readonly named: boolean;
  /** In no file: the values come with each candidate. */
  readonly given?: true;
}

/** A slot with its opened header. `checkpoint` of a companion is one file or a directory of files with the model's tensor names. */
export interface SlotHeader {
  readonly slot: Slot;
  readonly checkpoint: Checkpoint;
}

/** Where one tensor lies in one slot. */
export interface TensorSource {
  /** Index into `Plan.files`. */
  readonly file: number;
  /** What the merge reads. */
  readonly dtype: DType;
  /** Absolute offset in the file. */
  readonly offset: number;
  /** Memory that an element takes in a shard, at most. */
  readonly bytesPerElement: number;
  /** What a tensor that is no range of a file is made of; file and offset are then those of what it changes. */
  readonly derived?: PlannedDerivation;
  /** In no file; then file and offset mean nothing. */
  readonly given?: true;
}

export interface PlannedTensor {
  readonly name: string;
  /** Row-major. */
  readonly shape: readonly number[];
  readonly elements: number;
  readonly action: "merge" | "copy";
  readonly outputDtype: DType;
  /** Index into `Plan.output.files`, and the absolute offset there. */
  readonly outputFile: number;
  readonly outputOffset: number;
  /** One for each slot; undefined where a slot has no such tensor or it is not needed. */
  readonly sources: readonly (TensorSource | undefined)[];
  /** Depth in the model for gradients, in [0, 1]. */
  readonly depth: number;
  readonly layer: LayerPlace;
  /** Part of the recipe whose settings it has, and the group that merges it: indices into every variant's. */
  readonly part: number;
  readonly group: number;
  /** Slot that it is copied from when it is not merged, and its part's base or first model. */
  readonly reference: number;
  /** Its name in each slot, where it has another one there. */
  readonly inputNames?: readonly (string | undefined)[];
  /** Shards that the tensor's segments lie in, inclusive; an empty tensor lies in none (`last` < `first`). */
  readonly firstShard: number;
  readonly lastShard: number;
}

/** A variant with its groups, which have the same numbers in all variants of a job: a tensor's group depends on no variant. */
export interface PlannedVariant {
  readonly variant: RecipeVariant;
  readonly groups: readonly PlannedGroup[];
}

/** Tensors that are merged by one program from the same slots: the program's graph, and the slots of its inputs. */
export interface PlannedGroup {
  readonly spec: GraphSpec;
  readonly graph: MergeGraph;
  /** In the order of the graph's inputs. */
  readonly slots: readonly number[];
}

/** How the tokenizer of the merged model differs from the donor's. */
export interface OutputTokenizer {
  /** Rows of the embeddings, where they are those of a merged vocabulary. */
  readonly rows?: number;
  /** Files that take the place of the donor's, or are added to them. */
  readonly files: Readonly<Record<string, string>>;
  /** Files of the donor that would contradict them. */
  readonly removed: readonly string[];
  readonly notes: readonly string[];
  /** sha256 (hex) of the files and of where each row comes from. */
  readonly digest: string;
}

export interface Plan {
  readonly recipe: Recipe;
  readonly slots: readonly Slot[];
  /** Absolute path, or pinned remote location, of each slot as it was opened. */
  readonly roots: readonly string[];
  /** What references of the recipe mean in this plan. */
  readonly pins: Pins;
  readonly files: readonly InputFile[];
  /** In the order of the base's (else first model's) bytes. */
  readonly tensors: readonly PlannedTensor[];
  /** Files of the merged model, with headers and index text. Depends on recipe and headers, never on `shardBytes`. */
  readonly output: OutputLayout;
  readonly shards: readonly Shard[];
  /** For each segment of each shard, the index of its tensor. */
  readonly shardTensors: readonly (readonly number[])[];
  readonly shardSizes: readonly ShardSize[];
  /** The recipe's own first, then the comparison. */
  readonly variants: readonly PlannedVariant[];
  /** Slot whose config, tokenizer and other side files the merged model gets: the base, else the first model. */
  readonly donorSlot: number;
  readonly donorConfig: JsonObject | undefined;
  /** The donor's config with the number of layers that the merged model has. */
  readonly config: JsonObject | undefined;
  /** Undefined: the donor's tokenizer is copied. */
  readonly tokenizer?: OutputTokenizer;
  readonly totals: PlanTotals;
  /** Things a person should know that are no problems, e.g. buffers that are left out. */
  readonly notes: readonly string[];
  /** sha256 (hex) of recipe, inputs (paths, sizes, times, headers), output layout and shards. */
  readonly digest: string;
}

/** Bytes of one shard: what one pass reads, and what its merged segments have. */
export interface ShardSize {
  readonly inputBytes: number;
  readonly outputBytes: number;
}

export interface PlanTotals {
  readonly tensors: number;
  readonly mergedTensors: number;
  readonly copiedTensors: number;
  readonly parameters: number;
  /** Bytes read by one pass over all inputs. */
  readonly inputBytes: number;
  readonly outputBytes: number;
  readonly segments: number;
  /** Input bytes of the largest shard. */
  readonly largestShardInputBytes: number;
  readonly largestShardOutputBytes: number;
}

export interface PlanOptions {
  /** Most input bytes of a shard; by default see `defaultLimits`. A shard has at least one block of elements. */
  readonly shardBytes?: number;
  /** Most tensor bytes of an output file; default 5 GB, as transformers. */
  readonly maxOutputFileBytes?: number;
}
