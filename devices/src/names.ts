// Back-ends by name. Light: settings and the command line need it.

/** The back-end without a device: WebAssembly kernels on the CPU. Every worker has it. */
export const WASM = "wasm";
/** The fastest back-end of a machine that gives the same bytes as "wasm". */
export const AUTO = "auto";
/** What a name may be, for messages. */
export const BACKENDS = "must be wasm, webgpu, or onnx: and an execution provider (onnx:cpu, onnx:cuda)";

const ONNX = /^onnx:([a-z]+)$/;

/** The execution provider of "onnx:cuda" and the like. */
export const onnxProviderOf = (backend: string): string | undefined => ONNX.exec(backend)?.[1];

export const isBackend = (name: string): boolean =>
  name === WASM || name === "webgpu" || onnxProviderOf(name) !== undefined;
