// What the tests of this package share: temporary directories, hand-made safetensors bytes, a byte source over memory.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { layoutFile, type TensorSpec } from "../layout.ts";
import type { ByteSource } from "../source.ts";

/** A fresh directory, removed on disposal. */
export async function temporaryDirectory(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "amalgam-checkpoint-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A safetensors file from the text of its header and its data. */
export function rawFile(header: string | Uint8Array, data: Uint8Array = new Uint8Array()): Uint8Array {
  const json = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(json.length), true);
  return Buffer.concat([length, json, data]);
}

/** A valid file with these tensors; data bytes count up from `seed`. */
export function tensorFile(specs: readonly TensorSpec[], seed = 0): Uint8Array {
  const { header, fileBytes } = layoutFile(specs);
  const bytes = new Uint8Array(fileBytes).map((_, index) => (index + seed) & 0x7f);
  bytes.set(header);
  return bytes;
}

export function memorySource(bytes: Uint8Array, name = "memory.safetensors"): ByteSource {
  return {
    name,
    byteLength: bytes.length,
    async readInto(target, offset) {
      target.set(bytes.subarray(offset, offset + target.length));
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** Writes files into a directory: name to contents. */
export async function writeFiles(
  directory: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<void> {
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(directory, name), bytes);
}
