// Entry of the device thread: owns one device and merges windows for compute threads, which wait. A thread of its own, because
// devices answer asynchronously and compute threads are synchronous, and one device serves them all.
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { buildProgram, dtypeBytes } from "@amalgam/kernels";
import { loadMethods } from "@amalgam/runtime/methods";
import type { Device } from "./device.ts";
import { openDevice } from "./open-device.ts";
import {
  ANSWERED,
  type DeviceAnswer,
  type DeviceRequest,
  type DeviceThreadData,
  type FromDevice,
  type MergeRequest,
  type ToDevice,
} from "./thread-protocol.ts";

const port = parentPort!;
const { backend, residentBytes, methods } = workerData as DeviceThreadData;
const say = (message: FromDevice): void => port.postMessage(message);
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function merge(device: Device, request: MergeRequest): Promise<DeviceAnswer> {
  const { spec, memory, first, elements, owner, scalars } = request;
  const view = (address: number, size: number): Uint8Array => new Uint8Array(memory, address, elements * size);
  const inputs = request.inputs.map((address, i) => view(address, dtypeBytes(spec.inputDtypes[i]!)));
  const output = view(request.output, dtypeBytes(spec.outputDtype));
  const window = { inputs, output, first, elements, owner };
  return { kind: "merged", trusted: await device.merge(buildProgram(spec), window, scalars) };
}

function serve(device: Device, link: MessagePort, signal: Int32Array<SharedArrayBuffer>): void {
  link.on("message", (request: DeviceRequest) => {
    if (request.kind === "forget") {
      device.forget(request.owner);
      return;
    }
    void merge(device, request)
      .catch((error): DeviceAnswer => ({ kind: "failed", message: messageOf(error) }))
      .then((answer) => {
        link.postMessage(answer);
        Atomics.store(signal, 0, ANSWERED);
        Atomics.notify(signal, 0);
      });
  });
}

try {
  await loadMethods(methods);
  const device = await openDevice(backend, residentBytes);
  port.on("message", (message: ToDevice) => {
    if (message.kind === "link") serve(device, message.port, message.signal);
    else void Promise.resolve(device[Symbol.asyncDispose]()).finally(() => process.exit(0));
  });
  say({ kind: "ready", description: device.description });
} catch (error) {
  say({ kind: "unavailable", message: messageOf(error) });
}
