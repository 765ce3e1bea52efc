// What a process that merges does with the name of a back-end it was given.
import { type DeviceHost, startDevice } from "./device-host.ts";
import { fastest, measureBackends } from "./measure.ts";
import { AUTO, WASM } from "./names.ts";

/** Inputs kept on a device: no more than shards may take in memory, and what small GPUs have. */
const MOST_RESIDENT_BYTES = 2 ** 31;

/** The back-end itself; for "auto" the fastest that gives the bytes of "wasm". */
export async function resolveBackend(name: string, threads: number): Promise<string> {
  return name === AUTO ? fastest(await measureBackends(threads)) : name;
}

/**
 * Starts the device of a back-end, if it has one.
 * @throws AmalgamError failed_precondition when this machine lacks it
 */
export async function startBackend(
  name: string,
  { threads, memoryBytes }: { readonly threads: number; readonly memoryBytes: number },
): Promise<DeviceHost | undefined> {
  const backend = await resolveBackend(name, threads);
  if (backend === WASM) return undefined;
  return startDevice(backend, Math.min(MOST_RESIDENT_BYTES, Math.floor(memoryBytes / 4)));
}
