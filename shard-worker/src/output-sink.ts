// What becomes of merged bytes in a compute thread: they stay at their place in the shard's memory, from which they are written to
// files, or are copied to a buffer that evaluators fetch from. Both give the digests that the coordinator compares.
import { createHash, type Hash } from "node:crypto";
import type { ShardLayout } from "./shard-layout.ts";
import type { ShardResult } from "./thread-protocol.ts";

/** Takes a shard's bytes in order, segment by segment. */
export interface OutputSink {
  begin(): void;
  take(bytes: Uint8Array): void;
  end(): void;
  /** After the last segment. */
  finish(): ShardResult;
}

/** For a layout that places its output. */
export function createPlacedSink(): OutputSink {
  const segments = segmentDigests();
  return {
    begin: segments.begin,
    take: segments.update,
    end: segments.end,
    finish: () => ({ kind: "placed", segmentSha256: segments.list }),
  };
}

export function createHeldSink({ outputBytes }: ShardLayout, digestSegments: boolean): OutputSink {
  const bytes = new Uint8Array(outputBytes);
  const segments = digestSegments ? segmentDigests() : noDigests;
  const shard = createHash("sha256");
  let length = 0;
  return {
    begin: segments.begin,
    take(chunk) {
      bytes.set(chunk, length);
      // From the copy: a shared buffer must not change under the digest.
      const copy = bytes.subarray(length, length + chunk.byteLength);
      length += chunk.byteLength;
      segments.update(copy);
      shard.update(copy);
    },
    end: segments.end,
    finish: () => ({ kind: "held", bytes, sha256: shard.digest("hex"), segmentSha256: segments.list }),
  };
}

interface SegmentDigests {
  begin(): void;
  update(bytes: Uint8Array): void;
  end(): void;
  readonly list: readonly string[];
}

const noDigests: SegmentDigests = { begin: () => {}, update: () => {}, end: () => {}, list: [] };

function segmentDigests(): SegmentDigests {
  const list: string[] = [];
  let hash: Hash | undefined;
  return {
    begin() {
      hash = createHash("sha256");
    },
    update: (bytes) => void hash?.update(bytes),
    end: () => void list.push(hash?.digest("hex") ?? ""),
    list,
  };
}
