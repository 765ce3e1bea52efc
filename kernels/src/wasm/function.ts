// An assembler for one function `run(block: i32, count: i32) -> i32` and its module.
// Constants go to a preamble, outside the loop.
import { MAXIMUM_PAGES } from "./host.ts";
import { I32, OP, SIMD, V128 } from "./opcodes.ts";

export type Local = number & { readonly local: unique symbol };

export const BLOCK = 0 as Local;
export const COUNT = 1 as Local;

function unsigned(n: number): number[] {
  const bytes: number[] = [];
  let rest = n >>> 0;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest ? low | 0x80 : low);
  } while (rest);
  return bytes;
}

function signed(n: number): number[] {
  const bytes: number[] = [];
  let rest = n | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && !(low & 0x40)) || (rest === -1 && low & 0x40)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

const sized = (bytes: readonly number[]): number[] => [...unsigned(bytes.length), ...bytes];
const text = (s: string): number[] => sized([...s].map((c) => c.charCodeAt(0)));
const section = (id: number, ...bytes: number[]): number[] => [id, ...sized(bytes)];

export class KernelFunction {
  private readonly types: number[] = [];
  private readonly preamble: number[] = [];
  private readonly code: number[] = [];
  private readonly constants = new Map<string, Local>();
  private target: number[] = this.code;

  local(type: typeof I32 | typeof V128): Local {
    return (this.types.push(type) + 1) as Local;
  }
  op(opcode: number, ...immediates: number[]): this {
    this.target.push(opcode, ...immediates.flatMap(unsigned));
    return this;
  }
  simd(opcode: number, ...immediates: number[]): this {
    this.target.push(0xfd, ...unsigned(opcode), ...immediates.flatMap(unsigned));
    return this;
  }
  /** A memory instruction; no alignment is promised. */
  memory(opcode: number, offset: number, ...lane: number[]): this {
    return this.simd(opcode, 0, offset, ...lane);
  }
  get(local: Local): this {
    return this.op(OP.localGet, local);
  }
  set(local: Local): this {
    return this.op(OP.localSet, local);
  }
  tee(local: Local): this {
    return this.op(OP.localTee, local);
  }
  i32(value: number): this {
    this.target.push(OP.i32Const, ...signed(value));
    return this;
  }
  /** Pops into a new v128 local. */
  keep(): Local {
    const local = this.local(V128);
    this.set(local);
    return local;
  }
  /** Emits what the callback emits before the loop instead of here. */
  before(emit: () => void): void {
    const { target } = this;
    this.target = this.preamble;
    emit();
    this.target = target;
  }
  /** Pushes four 32-bit constants. */
  lanes(bits: readonly [number, number, number, number]): this {
    const key = bits.join();
    let local = this.constants.get(key);
    if (local === undefined) {
      local = this.local(V128);
      this.constants.set(key, local);
      this.before(() => {
        this.target.push(0xfd, ...unsigned(SIMD.const), ...new Uint8Array(Uint32Array.from(bits).buffer));
        this.set(local!);
      });
    }
    return this.get(local);
  }
  splatBits(bits: number): this {
    return this.lanes([bits, bits, bits, bits]);
  }
  splat(value: number): this {
    return this.splatBits(new Uint32Array(Float32Array.of(value).buffer)[0]!);
  }
  shuffle(bytes: readonly number[]): this {
    this.target.push(0xfd, ...unsigned(SIMD.shuffle), ...bytes);
    return this;
  }

  /** The module's bytes. It imports the shared memory `amalgam.memory` and exports `run`. */
  module(): Uint8Array {
    const locals = [...unsigned(this.types.length), ...this.types.flatMap((t) => [1, t])];
    const body = [...locals, ...this.preamble, ...this.code, OP.end];
    const shared = 3;
    return Uint8Array.from([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(1, 1, 0x60, 2, I32, I32, 1, I32),
      ...section(2, 1, ...text("amalgam"), ...text("memory"), 2, shared, 1, ...unsigned(MAXIMUM_PAGES)),
      ...section(3, 1, 0),
      ...section(7, 1, ...text("run"), 0, 0),
      ...section(10, 1, ...sized(body)),
    ]);
  }
}
