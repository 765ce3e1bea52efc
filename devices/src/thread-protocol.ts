// What a compute thread, the device thread and their host say to each other.
import type { MessagePort } from "node:worker_threads";
import type { ProgramSpec, Scalars } from "@amalgam/kernels";

/** A compute thread's connection to the device thread. To be transferred with its port. */
export interface DeviceLink {
  readonly backend: string;
  readonly port: MessagePort;
  /** One word: 0 while the device works, 1 when an answer is on the port, 2 when the device thread has ended. */
  readonly signal: Int32Array<SharedArrayBuffer>;
}

export const WAITING = 0;
export const ANSWERED = 1;
export const ENDED = 2;

/** Merge a window of a shared memory. */
export interface MergeRequest {
  readonly kind: "merge";
  readonly spec: ProgramSpec;
  readonly memory: SharedArrayBuffer;
  /** Byte addresses of the graph's inputs. */
  readonly inputs: readonly number[];
  readonly output: number;
  readonly first: number;
  readonly elements: number;
  readonly owner: number | undefined;
  readonly scalars: Scalars;
}
export type DeviceRequest = MergeRequest | { readonly kind: "forget"; readonly owner: number };

/** Of a merge; see `Device.merge`. */
export type DeviceAnswer =
  | { readonly kind: "merged"; readonly trusted: boolean }
  | { readonly kind: "failed"; readonly message: string };

export interface DeviceThreadData {
  /** Method files to load. */
  readonly methods: readonly string[];
  readonly backend: string;
  readonly residentBytes: number;
}
/** To the device thread. */
export type ToDevice =
  | { readonly kind: "link"; readonly port: MessagePort; readonly signal: Int32Array<SharedArrayBuffer> }
  | { readonly kind: "close" };
/** From it: whether the device is open. */
export type FromDevice =
  | { readonly kind: "ready"; readonly description: string }
  | { readonly kind: "unavailable"; readonly message: string };
