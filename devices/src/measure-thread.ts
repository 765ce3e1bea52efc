// Entry of a measuring thread: merges windows for a while, with WebAssembly kernels or on the device it is linked to, and says
// how many elements it merged and whether the device gave the kernels' bits.
import { parentPort, workerData } from "node:worker_threads";
import {
  BLOCK_ELEMENTS,
  createExecutor,
  createMemory,
  dtypeBytes,
  type Executor,
  encodeElements,
} from "@amalgam/kernels";
import { createDeviceExecutor } from "./device-executor.ts";
import { MODELS, measuredProgram } from "./measured-merge.ts";
import type { DeviceLink } from "./thread-protocol.ts";

export interface MeasureData {
  readonly link: DeviceLink | undefined;
  readonly durationMs: number;
}
export interface Measured {
  readonly elements: number;
  readonly elapsedMs: number;
  readonly sameBits: boolean;
}

/** Elements of a window, as shard workers merge them. */
const WINDOW = 4 * BLOCK_ELEMENTS;

function measure({ link, durationMs }: MeasureData): Measured {
  const program = measuredProgram();
  const inputBytes = WINDOW * dtypeBytes("BF16");
  const inputs = Array.from({ length: MODELS + 1 }, (_, i) => 16 + i * inputBytes);
  const [output, scratch] = [16 + inputs.length * inputBytes, 16 + (inputs.length + 1) * inputBytes];
  const memory = createMemory(scratch + program.scratchBytes);
  const values = Float32Array.from({ length: WINDOW }, (_, i) => Math.sin(i * 12.9898) / 30);
  inputs.forEach((address, i) => {
    const model = values.map((x, e) => x + (i === 0 ? 0 : Math.sin((e + i) * 78.233) / 500));
    new Uint8Array(memory.buffer).set(encodeElements(model, "BF16"), address);
  });
  const perModel = (name: string, value: number): [string, number][] =>
    Array.from({ length: MODELS }, (_, i) => [`${name}[${i}]`, value + i / 10]);
  const scalars = Object.fromEntries([
    ...perModel("weight", 0.3),
    ...perModel("density", 0.5),
    ...[["lambda", 0.9] as const, ["randomKey", 12_345] as const],
  ]);
  const merge = (executor: Executor): Uint8Array => {
    executor.output({ inputs, output, firstElement: 0, elements: WINDOW }, scalars);
    return new Uint8Array(memory.buffer, output, inputBytes);
  };
  const kernels = createExecutor(program, memory, scratch);
  const executor = link === undefined ? kernels : createDeviceExecutor(link, program, memory, scratch, undefined);
  const expected = Buffer.from(merge(kernels));
  const sameBits = expected.equals(merge(executor));
  let elements = 0;
  const started = performance.now();
  do {
    merge(executor);
    elements += WINDOW;
  } while (performance.now() - started < durationMs);
  return { elements, elapsedMs: performance.now() - started, sameBits };
}

parentPort!.postMessage(measure(workerData as MeasureData));
