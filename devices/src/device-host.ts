// Starts the device thread of a process and gives compute threads their links to it.
import { MessageChannel, Worker } from "node:worker_threads";
import { AmalgamError } from "@amalgam/runtime";
import { loadedMethods } from "@amalgam/runtime/methods";
import { type DeviceLink, type DeviceThreadData, ENDED, type FromDevice, type ToDevice } from "./thread-protocol.ts";

export interface DeviceHost extends AsyncDisposable {
  readonly backend: string;
  /** The device by its maker's name. */
  readonly description: string;
  /** A connection for one compute thread; its port is to be transferred. */
  link(): DeviceLink;
}

/** Time for what the device still does. */
const GRACE_MS = 5_000;

const ENTRY = new URL(import.meta.url.endsWith(".ts") ? "./device-thread.ts" : "./device-thread.js", import.meta.url);

/**
 * Opens a device in a thread of its own. When the thread fails, merges that wait for it fail.
 * @param residentBytes bound on inputs kept on the device between merges
 * @throws AmalgamError failed_precondition when the machine lacks the device
 */
export async function startDevice(backend: string, residentBytes: number): Promise<DeviceHost> {
  const worker = new Worker(ENTRY, {
    workerData: { backend, residentBytes, methods: loadedMethods() } satisfies DeviceThreadData,
  });
  const signals = new Set<Int32Array<SharedArrayBuffer>>();
  let isEnded = false;
  const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  void ended.then(() => {
    isEnded = true;
    for (const signal of signals) {
      Atomics.store(signal, 0, ENDED);
      Atomics.notify(signal, 0);
    }
  });
  const opened = Promise.withResolvers<string>();
  worker.on("message", (message: FromDevice) => {
    if (message.kind === "ready") opened.resolve(message.description);
    else opened.reject(new Error(message.message));
  });
  worker.on("error", opened.reject);
  void ended.then(() => opened.reject(new Error("the device thread ended")));
  const send = (message: ToDevice, transfer: readonly MessagePortLike[] = []): void =>
    worker.postMessage(message, transfer as MessagePortLike[]);
  const description = await opened.promise.catch(async (error: unknown) => {
    await worker.terminate();
    const reason = error instanceof Error ? error.message : String(error);
    const hint = "`amalgam devices` lists what this machine has";
    throw new AmalgamError("failed_precondition", `back-end ${backend}: ${reason} (${hint})`, { cause: error });
  });
  return {
    backend,
    description,
    link() {
      const { port1, port2 } = new MessageChannel();
      const signal = new Int32Array(new SharedArrayBuffer(4));
      if (isEnded) Atomics.store(signal, 0, ENDED);
      signals.add(signal);
      send({ kind: "link", port: port1, signal }, [port1]);
      return { backend, port: port2, signal };
    },
    async [Symbol.asyncDispose]() {
      send({ kind: "close" });
      const late = setTimeout(() => void worker.terminate(), GRACE_MS);
      await ended;
      clearTimeout(late);
    },
  };
}

type MessagePortLike = DeviceLink["port"];
