// safetensors files small enough to hold in memory: written for tests' inputs, read to compare outputs. Independent of the
// checkpoint package, which is under test.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface RawTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export const float32 = (shape: readonly number[], values: readonly number[]): RawTensor => ({
  dtype: "F32",
  shape,
  bytes: new Uint8Array(Float32Array.from(values).buffer),
});

export function encodeSafetensors(tensors: Readonly<Record<string, RawTensor>>): Buffer {
  let end = 0;
  const entries = Object.entries(tensors).map(([name, { dtype, shape, bytes }]) => {
    const begin = end;
    end += bytes.byteLength;
    return [name, { dtype, shape, data_offsets: [begin, end] }];
  });
  return withHeader(
    JSON.stringify(Object.fromEntries(entries)),
    Object.values(tensors).map(({ bytes }) => bytes),
  );
}

/** A file with any header, valid or not. */
export function withHeader(header: string, data: readonly Uint8Array[]): Buffer {
  const text = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...data]);
}

export const writeSafetensors = (path: string, tensors: Readonly<Record<string, RawTensor>>): void =>
  writeFileSync(path, encodeSafetensors(tensors));

/** The tensors of every safetensors file of a directory, by name. */
export function readDirectory(directory: string): Map<string, RawTensor> {
  const tensors = new Map<string, RawTensor>();
  for (const file of readdirSync(directory).filter((name) => name.endsWith(".safetensors"))) {
    const bytes = readFileSync(join(directory, file));
    const data = 8 + Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.toString("utf8", 8, data)) as Record<
      string,
      { dtype: string; shape: number[]; data_offsets: [number, number] }
    >;
    for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
      if (name === "__metadata__") continue;
      const [begin, end] = data_offsets;
      tensors.set(name, { dtype, shape, bytes: bytes.subarray(data + begin, data + end) });
    }
  }
  return tensors;
}

export const float32Values = ({ bytes }: RawTensor): Float32Array => new Float32Array(Uint8Array.from(bytes).buffer);
