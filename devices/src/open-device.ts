// The device of a back-end.
import type { Device } from "./device.ts";
import { onnxProviderOf } from "./names.ts";
import { openOnnx } from "./onnx.ts";
import { openWebGpu } from "./webgpu.ts";

/**
 * Opens the device of a back-end.
 * @param residentBytes bound on inputs kept on the device between merges
 * @throws Error when the machine lacks it
 */
export async function openDevice(backend: string, residentBytes: number): Promise<Device> {
  const provider = onnxProviderOf(backend);
  if (provider !== undefined) return openOnnx(provider, residentBytes);
  if (backend === "webgpu") return openWebGpu(residentBytes);
  throw new Error(`"${backend}" is not a back-end with a device: webgpu, or onnx: and an execution provider`);
}
