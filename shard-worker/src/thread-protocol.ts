// What the worker and its compute threads say to each other. Everything here survives a structured clone; memories are
// shared, merged bytes are transferred.
import type { DeviceLink } from "@amalgam/devices";
import type { SharedMemory } from "@amalgam/kernels";
import type { ErrorCode } from "@amalgam/runtime";
import type { ShardLayout } from "./shard-layout.ts";

/** One way of merging a job's inputs: each segment names the group that merges it. */
export interface VariantTask {
  /** "wasm", or the back-end of this worker's device. */
  readonly backend: string;
  readonly groups: readonly MergeGroup[];
}

/** A merge method specialised on its options and the number of models. */
export interface MergeGroup {
  readonly method: string;
  readonly hasBase: boolean;
  readonly models: number;
  /** Slots of the job in the order of the program's inputs. */
  readonly slots: readonly number[];
  /** Options as JSON values. */
  readonly options: Readonly<Record<string, string>>;
  /** Of a method that makes an artefact: which of its masks. */
  readonly masks?: number;
  /** `GraphSpec.working`; empty for none. */
  readonly working: string;
}

export interface StatisticState {
  /** Empty for model scope. */
  readonly tensor: string;
  readonly data: Uint8Array;
}

export interface StatisticValue {
  readonly group: number;
  readonly statistic: number;
  readonly tensor: string;
  readonly values: readonly number[];
}

export type ShardTask =
  | {
      readonly kind: "merge";
      readonly variant: VariantTask;
      /** Names the values of given inputs: what was found of others is void. */
      readonly given: string;
      /** Numeric parameters, one row per segment. */
      readonly scalars: readonly (readonly number[])[];
      readonly statistics: readonly StatisticValue[];
      /** Leave the merged bytes in the shard's memory, if its layout has a place for them, instead of handing them back. */
      readonly place: boolean;
      /** Digest each segment, not only the shard. */
      readonly digestSegments: boolean;
    }
  | {
      readonly kind: "statistic";
      readonly variant: VariantTask;
      readonly given: string;
      readonly scalars: readonly (readonly number[])[];
      readonly statistics: readonly StatisticValue[];
      readonly group: number;
      readonly statistic: number;
      readonly states: readonly StatisticState[];
    };

/** A shard's memory and its layout, told once to each thread that works on it. */
export interface SharedShard {
  readonly id: number;
  readonly memory: SharedMemory;
  readonly layout: ShardLayout;
  /** More candidates follow: a device keeps what it was given of the inputs. */
  readonly keepsInputs: boolean;
  /** Path of every input file of the job, for messages. */
  readonly inputFiles: readonly string[];
}

export type ToThread =
  | { readonly kind: "shard"; readonly shard: SharedShard }
  | { readonly kind: "forget"; readonly shardId: number }
  | {
      readonly kind: "task";
      readonly shardId: number;
      /** Slots whose inputs have been read and are still to be derived. */
      readonly derive: ReadonlySet<number>;
      readonly task: ShardTask;
    };

export type ShardResult =
  | {
      readonly kind: "held";
      readonly bytes: Uint8Array<ArrayBuffer>;
      readonly sha256: string;
      readonly segmentSha256: readonly string[];
    }
  | { readonly kind: "placed"; readonly segmentSha256: readonly string[] }
  | { readonly kind: "partials"; readonly partials: readonly StatisticState[] };

export type FromThread =
  | { readonly kind: "done"; readonly result: ShardResult; readonly computeMs: number }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly message: string };

/** What a thread is started with. */
export interface ThreadData {
  /** The connection to the worker's device, if it has one. */
  readonly device: DeviceLink | undefined;
  /** One flag, set by the worker while a task runs: the task stops at the next block. */
  readonly cancelled: Int32Array<SharedArrayBuffer>;
  /** Files of methods that are not built in. */
  readonly methods: readonly string[];
}
