// Reads a shard's inputs from files straight into its memory, in file order; runs in a compute thread. A file that is not
// the one that was verified, or changes meanwhile, is refused: its bytes could be anything.
import { openFileSource } from "@amalgam/checkpoint";
import { fileFailure } from "./file-failure.ts";
import type { DirectRead } from "./thread-protocol.ts";

/**
 * Reads every range to its address and resolves to the number of bytes read.
 * @param checkpoint called between ranges; throws when the lease was given up
 * @throws TaskError failed_precondition when a file was replaced, changed or cut; internal when the disk fails
 */
export async function readInputs(
  memory: Uint8Array,
  { files, ranges }: DirectRead,
  checkpoint: () => void,
): Promise<number> {
  let total = 0;
  try {
    for (const [index, { path, identity }] of files) {
      await using source = await openFileSource(path, { expected: identity });
      for (const { file, offset, bytes, address } of ranges) {
        if (file !== index) continue;
        checkpoint();
        source.readIntoSync(memory.subarray(address, address + bytes), offset);
        total += bytes;
      }
      await source.verifyUnchanged();
    }
  } catch (error) {
    throw fileFailure(error);
  }
  return total;
}
