// Where merged bytes go: into a buffer that evaluators fetch from, or to their final offsets in the output files.
// Both give the digests that the coordinator compares.
import { createHash, type Hash } from "node:crypto";
import { openRangeWriter, type RangeWriter } from "@amalgam/checkpoint";
import { fileFailure } from "./file-failure.ts";
import type { SegmentPlan, ShardLayout } from "./shard-layout.ts";
import type { OutputTarget, ShardResult } from "./thread-protocol.ts";

/** Takes a shard's bytes in order, segment by segment. */
export interface OutputSink {
  begin(segment: SegmentPlan): void;
  write(bytes: Uint8Array): void;
  end(): void;
  /** After the last segment. A written shard is on the disk when this returns. */
  finish(): ShardResult;
  /** Releases what is open, whether or not the shard was finished. */
  close(): void;
}

export function createHeldSink({ outputBytes }: ShardLayout, digestSegments: boolean): OutputSink {
  const bytes = new Uint8Array(outputBytes);
  const segments = digestSegments ? segmentDigests() : noDigests;
  const shard = createHash("sha256");
  let length = 0;
  return {
    begin: segments.begin,
    write(chunk) {
      bytes.set(chunk, length);
      // From the copy: a shared buffer must not change under the digest.
      const copy = bytes.subarray(length, length + chunk.byteLength);
      length += chunk.byteLength;
      segments.update(copy);
      shard.update(copy);
    },
    end: segments.end,
    finish: () => ({ kind: "held", bytes, sha256: shard.digest("hex"), segmentSha256: segments.list }),
    close: () => {},
  };
}

/** Opens each output file once, at the first segment that goes there; the files exist with their full length. */
export function createFileSink({ outputBytes }: ShardLayout, { files }: OutputTarget): OutputSink {
  const segments = segmentDigests();
  const writers = new Map<number, RangeWriter>();
  let writer: RangeWriter;
  let offset = 0;
  const attempt = <T>(call: () => T): T => {
    try {
      return call();
    } catch (error) {
      throw fileFailure(error, outputBytes);
    }
  };
  return {
    begin({ outputFile, outputOffset }) {
      writer = writers.get(outputFile) ?? attempt(() => openRangeWriter(files[outputFile]!));
      writers.set(outputFile, writer);
      offset = outputOffset;
      segments.begin();
    },
    write(chunk) {
      attempt(() => writer.write(chunk, offset));
      offset += chunk.byteLength;
      segments.update(chunk);
    },
    end: segments.end,
    finish() {
      for (const each of writers.values()) attempt(() => each.sync());
      return { kind: "written", bytes: outputBytes, segmentSha256: segments.list };
    },
    close() {
      for (const each of writers.values()) each[Symbol.dispose]();
    },
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
