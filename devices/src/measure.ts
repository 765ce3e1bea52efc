// How fast the back-ends of this machine are, by a short merge on each, and which one `auto` takes.
import { Worker } from "node:worker_threads";
import { dtypeBytes } from "@amalgam/kernels";
import { AmalgamError } from "@amalgam/runtime";
import { startDevice } from "./device-host.ts";
import type { MeasureData, Measured } from "./measure-thread.ts";
import { measuredProgram } from "./measured-merge.ts";
import { WASM } from "./names.ts";
import { onnxProviders } from "./onnx.ts";

export interface BackendReport {
  readonly backend: string;
  /** The device by its maker's name; why there is none otherwise. */
  readonly description: string;
  readonly available: boolean;
  /** Whether it gave the bits of the WebAssembly kernels. */
  readonly sameBits: boolean;
  /** Merged parameters, and bytes read and written for them, by all threads together; transfers to the device included. */
  readonly parametersPerSecond: number;
  readonly bytesPerSecond: number;
}

const DURATION_MS = 250;
/** A back-end that takes longer to start and merge is no use; drivers have been seen to hang. */
const PATIENCE_MS = 20_000;
const ENTRY = new URL(import.meta.url.endsWith(".ts") ? "./measure-thread.ts" : "./measure-thread.js", import.meta.url);

/** Measures every back-end this machine's packages know, one after another, the first being "wasm". */
export async function measureBackends(threads: number): Promise<BackendReport[]> {
  // onnxruntime's own WebGPU provider would be the same adapter again, operator by operator.
  const providers = (await onnxProviders()).filter((provider) => provider !== "webgpu");
  const names = [WASM, "webgpu", ...providers.map((provider) => `onnx:${provider}`)];
  const reports: BackendReport[] = [];
  for (const name of names) reports.push(await measureBackend(name, threads));
  return reports;
}

/** The fastest of those that give the bytes of "wasm", so that the choice never changes a result. */
export const fastest = (reports: readonly BackendReport[]): string =>
  reports
    .filter(({ available, sameBits }) => available && sameBits)
    .reduce((best, report) => (report.parametersPerSecond > best.parametersPerSecond ? report : best)).backend;

async function measureBackend(backend: string, threads: number): Promise<BackendReport> {
  try {
    if (backend === WASM) return await report(backend, `${threads} threads, WebAssembly SIMD`, threads, undefined);
    await using host = await startDevice(backend, 0);
    return await report(backend, host.description, threads, host);
  } catch (error) {
    // What the device itself said: the name of the back-end stands before it, and this is where errors refer to.
    const reason = error instanceof AmalgamError && error.cause instanceof Error ? error.cause : error;
    const description = reason instanceof Error ? reason.message : String(reason);
    const none = { parametersPerSecond: 0, bytesPerSecond: 0 };
    return { backend, description, available: false, sameBits: false, ...none };
  }
}

async function report(
  backend: string,
  description: string,
  threads: number,
  host: Awaited<ReturnType<typeof startDevice>> | undefined,
): Promise<BackendReport> {
  const measured = await Promise.all(Array.from({ length: threads }, () => measureThread(host)));
  const parametersPerSecond = measured.reduce((sum, { elements, elapsedMs }) => sum + elements / (elapsedMs / 1000), 0);
  const { inputDtypes, outputDtype } = measuredProgram().spec;
  const bytesEach = [...inputDtypes, outputDtype].reduce((sum, dtype) => sum + dtypeBytes(dtype), 0);
  const sameBits = measured.every((each) => each.sameBits);
  return {
    backend,
    description,
    available: true,
    sameBits,
    parametersPerSecond,
    bytesPerSecond: parametersPerSecond * bytesEach,
  };
}

function measureThread(host: Awaited<ReturnType<typeof startDevice>> | undefined): Promise<Measured> {
  const link = host?.link();
  const workerData: MeasureData = { link, durationMs: DURATION_MS };
  const worker = new Worker(ENTRY, { workerData, transferList: link === undefined ? [] : [link.port] });
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", () => reject(new Error("the measuring thread ended")));
    const late = setTimeout(() => {
      reject(new Error(`it did not merge within ${PATIENCE_MS / 1000} s`));
      void worker.terminate();
    }, PATIENCE_MS);
    worker.once("exit", () => clearTimeout(late));
  });
}
