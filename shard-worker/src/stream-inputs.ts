// Brings a shard's inputs from the coordinator when this worker cannot read its storage. Neighbouring ranges of a file are
// asked for together, a few requests at a time, and land in the shard's memory as they arrive.
import type { SharedMemory } from "@amalgam/kernels";
import type { CoordinatorService, InputFile } from "@amalgam/proto";
import { AmalgamError, type Client } from "@amalgam/runtime";
import type { InputRange } from "./shard-layout.ts";

export interface StreamSource {
  readonly coordinator: Client<typeof CoordinatorService>;
  readonly jobId: string;
  readonly files: readonly InputFile[];
}

/** A run of bytes of one file that covers the ranges in it. */
export interface Span {
  readonly file: number;
  readonly offset: number;
  readonly bytes: number;
  /** In the order of the file. */
  readonly ranges: readonly InputRange[];
}

// Reading on over a gap this long is cheaper than another request.
const REQUESTS = { gapBytes: 64 * 1024, spanBytes: 64 * 1024 * 1024 };
const CONCURRENT_SPANS = 2;

/** Joins ranges, sorted by file and offset, into spans of at most `spanBytes`. Ranges may touch or overlap. */
export function joinRanges(
  ranges: readonly InputRange[],
  { gapBytes, spanBytes }: { readonly gapBytes: number; readonly spanBytes: number } = REQUESTS,
): Span[] {
  const spans: { file: number; offset: number; bytes: number; ranges: InputRange[] }[] = [];
  for (const range of ranges) {
    const last = spans.at(-1);
    const end = range.offset + range.bytes;
    const joins =
      last !== undefined &&
      last.file === range.file &&
      range.offset <= last.offset + last.bytes + gapBytes &&
      end - last.offset <= spanBytes;
    if (joins) {
      last.ranges.push(range);
      last.bytes = Math.max(last.bytes, end - last.offset);
    } else {
      spans.push({ file: range.file, offset: range.offset, bytes: range.bytes, ranges: [range] });
    }
  }
  return spans;
}

/**
 * Streams the ranges into memory and resolves to the bytes received.
 * @throws AmalgamError data_loss when the coordinator sent less or more than was asked for
 */
export async function streamInputs(
  source: StreamSource,
  ranges: readonly InputRange[],
  memory: SharedMemory,
  signal: AbortSignal,
): Promise<number> {
  const spans = joinRanges(ranges).values();
  const bytes = new Uint8Array(memory.buffer);
  let total = 0;
  const stopped = new AbortController();
  const either = AbortSignal.any([signal, stopped.signal]);
  const work = async (): Promise<void> => {
    for (const span of spans) {
      await streamSpan(source, span, bytes, either);
      total += span.bytes;
    }
  };
  const workers = Array.from({ length: CONCURRENT_SPANS }, work);
  try {
    await Promise.all(workers);
  } finally {
    // Nothing may write into the memory after it was given back.
    stopped.abort();
    await Promise.allSettled(workers);
  }
  return total;
}

async function streamSpan(
  { coordinator, jobId, files }: StreamSource,
  span: Span,
  memory: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  const { file, offset, bytes, ranges } = span;
  const request = { jobId, file, offset: BigInt(offset), length: BigInt(bytes) };
  let position = offset;
  for await (const { data } of coordinator.readInput(request, { signal })) {
    scatter(data, position, ranges, memory);
    position += data.byteLength;
    if (position > offset + bytes) break;
  }
  signal.throwIfAborted();
  if (position !== offset + bytes) {
    throw new AmalgamError(
      "data_loss",
      `${files[file]?.path}: the coordinator sent ${position - offset} bytes for the ${bytes} at offset ${offset}`,
    );
  }
}

/** Copies the parts of `data`, which begins at `position` of the file, to where the ranges want them. */
export function scatter(data: Uint8Array, position: number, ranges: readonly InputRange[], memory: Uint8Array): void {
  const end = position + data.byteLength;
  for (const range of ranges) {
    const from = Math.max(position, range.offset);
    const to = Math.min(end, range.offset + range.bytes);
    if (from < to) memory.set(data.subarray(from - position, to - position), range.address + from - range.offset);
  }
}
