// What every device is to its host: something that runs the output pass of a program over a window of elements, or says that
// its result is not to be trusted. Knows no method.
import type { Program, Scalars } from "@amalgam/kernels";

/** The longest window, in elements: within one dispatch of workgroups, and small buffers for intermediate values. */
export const MAX_WINDOW_ELEMENTS: number = 2 ** 20;

export interface DeviceWindow {
  /** Bytes of each of the graph's inputs, `elements` of its dtype; may be shared memory. */
  readonly inputs: readonly Uint8Array[];
  /** Where the merged elements go. */
  readonly output: Uint8Array;
  /** Index in the tensor of the window's first element. */
  readonly first: number;
  /** At most MAX_WINDOW_ELEMENTS. */
  readonly elements: number;
  /** Whoever says that these inputs stay as they are until it is forgotten: they may be kept on the device. */
  readonly owner: number | undefined;
}

export interface Device extends AsyncDisposable {
  /** As settings, leases and manifests name it: "webgpu", "onnx:cpu". */
  readonly backend: string;
  /** The device by its maker's name. */
  readonly description: string;
  /**
   * Merges a window. Resolves to false when the result may not be the one this back-end promises (a subnormal or infinite value
   * on the way): then the host merges the window with its WebAssembly kernels, whatever is in `output`.
   */
  merge(program: Program, window: DeviceWindow, scalars: Scalars): Promise<boolean>;
  /** Frees what is kept for the owner. */
  forget(owner: number): void;
}
