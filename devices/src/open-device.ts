// Back-ends by name, and the device of one.
import type { Device } from "./device.ts";
import { onnxProviders, openOnnx } from "./onnx.ts";
import { openWebGpu } from "./webgpu.ts";

/** The back-end without a device: WebAssembly kernels on the CPU. Every worker has it. */
export const WASM = "wasm";
const ONNX = /^onnx:([a-z]+)$/;

/** Whether a name can be a back-end's: "wasm", "webgpu", or "onnx:" and an execution provider, such as "onnx:cuda". */
export const isBackend = (name: string): boolean => name === WASM || name === "webgpu" || ONNX.test(name);

/** The back-ends that this machine's packages know, whether or not they start. */
export async function knownBackends(): Promise<string[]> {
  return [WASM, "webgpu", ...(await onnxProviders()).map((provider) => `onnx:${provider}`)];
}

/**
 * Opens the device of a back-end.
 * @param residentBytes bound on inputs kept on the device between merges
 * @throws Error when the machine lacks it
 */
export async function openDevice(backend: string, residentBytes: number): Promise<Device> {
  const provider = ONNX.exec(backend)?.[1];
  if (provider !== undefined) return openOnnx(provider, residentBytes);
  if (backend === "webgpu") return openWebGpu(residentBytes);
  throw new Error(`"${backend}" is not a back-end with a device: webgpu, or onnx: and an execution provider`);
}
