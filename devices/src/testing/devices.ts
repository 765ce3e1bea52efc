// For tests: the devices of this machine, each with the reason why it is not there.
import { type Device, openDevice } from "../index.ts";

export interface TestDevice {
  readonly backend: string;
  readonly device: Device | undefined;
  /** For the test's title, so that a skipped back-end is seen in the report. */
  readonly title: string;
}

const RESIDENT_BYTES = 2 ** 26;

async function attempt(backend: string): Promise<TestDevice> {
  try {
    const device = await openDevice(backend, RESIDENT_BYTES);
    return { backend, device, title: `${backend} (${device.description})` };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { backend, device: undefined, title: `${backend}: skipped, ${reason}` };
  }
}

/** WebGPU wants a GPU or the software driver that `scripts/ensure-vulkan-driver.ts` fetches. */
export const testDevices: readonly TestDevice[] = await Promise.all(["webgpu", "onnx:cpu"].map(attempt));
