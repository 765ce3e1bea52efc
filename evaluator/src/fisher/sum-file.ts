/** What an estimate has summed so far, on the disk: a safetensors file of float32 that says which estimate it belongs to and how many items are in it. */

import { createTensorFile, openFileSource, readHeader } from "@amalgam/checkpoint";
import type { RunningSum } from "./estimate.ts";

export async function saveSum(path: string, digest: string, { items, tensors }: RunningSum): Promise<void> {
  const specs = [...tensors].map(([name, { length }]) => ({ name, dtype: "F32" as const, shape: [length] }));
  await using file = await createTensorFile(path, specs, { digest, items: String(items) });
  for (const [name, values] of tensors) await file.write(name, bytesOfFloats(values));
  await file.commit();
}

/** The sum that the file has; undefined where there is none, it is not whole, or it belongs to another estimate. */
export async function loadSum(
  path: string,
  digest: string,
  signal: AbortSignal | undefined,
): Promise<RunningSum | undefined> {
  try {
    await using source = await openFileSource(path, { noFollow: true });
    const { header, dataOffset } = await readHeader(source, { signal });
    if (header.metadata.get("digest") !== digest) return undefined;
    const tensors = new Map<string, Float32Array>();
    for (const [name, { begin, end }] of header.tensors) {
      const values = new Float32Array((end - begin) / Float32Array.BYTES_PER_ELEMENT);
      await source.readInto(bytesOfFloats(values), dataOffset + begin, { signal });
      tensors.set(name, values);
    }
    return { items: Number(header.metadata.get("items")), tensors };
  } catch {
    signal?.throwIfAborted();
    // A file that cannot be read costs time, not correctness: the estimate begins anew.
    return undefined;
  }
}

export const bytesOfFloats = (values: Float32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
