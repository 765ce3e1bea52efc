// Reads what mergekit 0.1.4 read and wrote (tests/golden/mergekit): float32 tensors by name.
import { readdirSync, readFileSync } from "node:fs";
import { expect } from "vitest";

export interface Golden {
  readonly bytes: Uint8Array;
  readonly rowElements: number;
}
export type Tensors = ReadonlyMap<string, Golden>;
const folder = new URL("../../../tests/golden/mergekit/", import.meta.url);

export function readTensors(directory: string): Tensors {
  const at = new URL(`${directory}/`, folder);
  const tensors = new Map<string, Golden>();
  for (const name of readdirSync(at).filter((n) => n.endsWith(".safetensors"))) {
    const bytes = readFileSync(new URL(name, at));
    const headerBytes = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.toString("utf8", 8, 8 + headerBytes)) as Record<
      string,
      { dtype: string; shape: number[]; data_offsets: [number, number] }
    >;
    for (const [tensor, { dtype, shape, data_offsets }] of Object.entries(header)) {
      if (tensor === "__metadata__") continue;
      expect(dtype).toBe("F32");
      const [from, to] = data_offsets;
      const data = bytes.subarray(8 + headerBytes + from, 8 + headerBytes + to);
      tensors.set(tensor, { bytes: data, rowElements: shape.at(-1)! });
    }
  }
  return tensors;
}

export const floats = (bytes: Uint8Array): Float32Array => new Float32Array(Uint8Array.from(bytes).buffer);
