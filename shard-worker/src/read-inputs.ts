// Reads a shard's inputs straight into its memory, off the compute threads, so that they never wait for a disk or a network. A
// file that is not the one that was verified, or changes meanwhile, is refused: its bytes could be anything.
import { fileFailure } from "./file-failure.ts";
import type { InputRange } from "./shard-layout.ts";
import type { InputSource } from "./storage.ts";

/**
 * Reads every range to its address and resolves to the number of bytes read. Files are read side by side, each in its order.
 * @param ranges sorted by file and offset; `sources` has every file they name
 * @throws TaskError failed_precondition when a file was replaced, changed or cut; internal when the disk fails
 */
export async function readInputs(
  memory: Uint8Array,
  ranges: readonly InputRange[],
  sources: ReadonlyMap<number, InputSource>,
  signal: AbortSignal,
): Promise<number> {
  const stopped = new AbortController();
  const either = AbortSignal.any([signal, stopped.signal]);
  const readFile = async ([file, source]: readonly [number, InputSource]): Promise<number> => {
    let total = 0;
    for (const { offset, bytes, address } of ranges.filter((range) => range.file === file)) {
      await source.readInto(memory.subarray(address, address + bytes), offset, { signal: either });
      total += bytes;
    }
    await source.verifyUnchanged();
    return total;
  };
  const reads = [...sources].map(readFile);
  try {
    return (await Promise.all(reads)).reduce((sum, bytes) => sum + bytes, 0);
  } catch (error) {
    signal.throwIfAborted();
    throw fileFailure(error);
  } finally {
    // Nothing may write into the memory after it was given back.
    stopped.abort();
    await Promise.allSettled(reads);
  }
}
