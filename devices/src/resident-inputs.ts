// Inputs that stay on a device from one merge to the next, as long as their owner is not forgotten and there is room: the least
// recently used give way.
import type { Program } from "@amalgam/kernels";
import type { DeviceWindow } from "./device.ts";

interface Entry<T> {
  readonly owner: number;
  readonly value: T;
  readonly bytes: number;
  users: number;
  /** Freed when the last user is done. */
  gone: boolean;
}

export class ResidentInputs<T> {
  private readonly limitBytes: number;
  private readonly free: (value: T) => void;
  private readonly programs = new Map<Program, number>();
  /** In the order of their last use. */
  private readonly entries = new Map<string, Entry<T>>();
  private bytes = 0;

  constructor(limitBytes: number, free: (value: T) => void) {
    this.limitBytes = limitBytes;
    this.free = free;
  }

  /** What is resident for the window, else what `load` brings; to be released after use. */
  use(
    program: Program,
    window: DeviceWindow,
    load: () => { value: T; bytes: number },
  ): { readonly buffer: T; release(): void } {
    const { owner } = window;
    if (owner === undefined) {
      const { value } = load();
      return { buffer: value, release: () => this.free(value) };
    }
    const key = this.keyOf(program, window);
    let entry = this.entries.get(key);
    if (entry === undefined) {
      entry = { owner, ...load(), users: 0, gone: false };
      this.bytes += entry.bytes;
    } else this.entries.delete(key);
    this.entries.set(key, entry);
    entry.users++;
    this.makeRoom();
    const used = entry;
    return {
      buffer: used.value,
      release: () => {
        used.users--;
        if (used.gone && used.users === 0) this.free(used.value);
      },
    };
  }

  forget(owner: number): void {
    for (const [key, entry] of this.entries) if (entry.owner === owner) this.drop(key, entry);
  }

  clear(): void {
    for (const [key, entry] of this.entries) this.drop(key, entry);
  }

  private makeRoom(): void {
    for (const [key, entry] of this.entries) {
      if (this.bytes <= this.limitBytes) return;
      if (entry.users === 0) this.drop(key, entry);
    }
  }

  private drop(key: string, entry: Entry<T>): void {
    if (this.entries.get(key) === entry) {
      this.entries.delete(key);
      this.bytes -= entry.bytes;
    }
    entry.gone = true;
    if (entry.users === 0) this.free(entry.value);
  }

  /** An owner's inputs lie where they lie: the addresses and the program tell windows apart. */
  private keyOf(program: Program, { inputs, elements, owner }: DeviceWindow): string {
    const number = this.programs.get(program) ?? this.programs.size;
    this.programs.set(program, number);
    return `${owner} ${number} ${elements} ${inputs.map((input) => input.byteOffset).join()}`;
  }
}
