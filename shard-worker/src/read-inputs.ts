// Reads a shard's inputs straight into its memory, off the compute threads, so that they never wait for a disk or a network. A
// file that is not the one that was verified, or changes meanwhile, is refused: its bytes could be anything.
import { isRemoteSource, type RemoteSource } from "@amalgam/checkpoint";
import { fileFailure } from "./file-failure.ts";
import type { InputRange } from "./shard-layout.ts";
import type { InputSource } from "./storage.ts";
import { joinRanges, scatter } from "./stream-inputs.ts";

/** Runs of bytes of a remote file that are asked for at a time; a long one is itself fetched in pieces side by side. */
const SPANS_IN_FLIGHT = 4;

/** Longer ranges are read on their own, straight to their place. */
const SMALL_READS = { gapBytes: 16 * 1024, spanBytes: 1024 * 1024 };

/**
 * Reads every range to its address and resolves to the number of bytes read. Files are read side by side, each in its order.
 * @param ranges sorted by file and offset; `sources` has every file they name
 * @throws TaskError failed_precondition when a file was replaced, changed or cut; internal when the disk fails;
 *   unavailable when a server stays out of reach
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
    const own = ranges.filter((range) => range.file === file);
    if (isRemoteSource(source)) return readRemote(memory, own, source, either);
    return readLocal(memory, own, source, either);
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

/** Rows that lie close to each other but go to different places are read together: a call for each would cost more than its bytes. */
async function readLocal(
  memory: Uint8Array,
  ranges: readonly InputRange[],
  source: InputSource,
  signal: AbortSignal,
): Promise<number> {
  let together: Uint8Array<ArrayBuffer> | undefined;
  for (const { offset, bytes, ranges: wanted } of joinRanges(ranges, SMALL_READS)) {
    const [first, second] = wanted;
    if (first !== undefined && second === undefined) {
      await source.readInto(memory.subarray(first.address, first.address + bytes), offset, { signal });
      continue;
    }
    together ??= new Uint8Array(SMALL_READS.spanBytes);
    const data = together.subarray(0, bytes);
    await source.readInto(data, offset, { signal });
    for (const range of wanted) {
      memory.set(data.subarray(range.offset - offset, range.offset - offset + range.bytes), range.address);
    }
  }
  await source.verifyUnchanged();
  return ranges.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Neighbouring ranges come with one request. Every answer is held to the version that was verified. */
async function readRemote(
  memory: Uint8Array,
  ranges: readonly InputRange[],
  source: RemoteSource,
  signal: AbortSignal,
): Promise<number> {
  const spans = joinRanges(ranges).values();
  const stopped = new AbortController();
  const either = AbortSignal.any([signal, stopped.signal]);
  const work = async (): Promise<void> => {
    for (const { offset, bytes, ranges: wanted } of spans) {
      await source.read(offset, offset + bytes, (data, at) => scatter(data, at, wanted, memory), { signal: either });
    }
  };
  const workers = Array.from({ length: SPANS_IN_FLIGHT }, work);
  try {
    await Promise.all(workers);
  } finally {
    stopped.abort();
    await Promise.allSettled(workers);
  }
  return ranges.reduce((sum, { bytes }) => sum + bytes, 0);
}
