// The few parts of the WebAssembly JavaScript interface kernels use, typed here because a pure
// package sees neither the DOM's nor Node's globals.

/** Structurally a `WebAssembly.Memory` that is shared. */
export interface SharedMemory {
  readonly buffer: ArrayBufferLike;
  grow(pages: number): number;
}
type Run = (block: number, count: number) => number;
interface WebAssemblyHost {
  readonly Memory: new (limits: { initial: number; maximum: number; shared: boolean }) => SharedMemory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: { amalgam: { memory: SharedMemory } },
  ) => { readonly exports: { readonly run: Run } };
}
const host = (globalThis as unknown as { readonly WebAssembly: WebAssemblyHost }).WebAssembly;

/** A kernel module compiled once and instantiated in any number of memories. */
export type CompiledModule = object;
export type KernelFunction = Run;

const PAGE_BYTES = 65_536;
/** Kernels import a memory with exactly this maximum: 4 GiB. */
export const MAXIMUM_PAGES = 65_536;

/** A shared memory of at least that many bytes, such as executors need; it can grow to 4 GiB. */
export function createMemory(bytes: number): SharedMemory {
  return new host.Memory({ initial: Math.ceil(bytes / PAGE_BYTES), maximum: MAXIMUM_PAGES, shared: true });
}

export const compileModule = (bytes: Uint8Array): CompiledModule => new host.Module(bytes);

export function instantiate(module: CompiledModule, memory: SharedMemory): KernelFunction {
  return new host.Instance(module, { amalgam: { memory } }).exports.run;
}
