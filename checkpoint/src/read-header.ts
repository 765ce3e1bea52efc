// Reads the header of a safetensors byte source: u64 little-endian length, JSON, data. Rules on the JSON are in header.ts.
import { createHash } from "node:crypto";
import { CheckpointError } from "./errors.ts";
import { parseHeader, type SafetensorsHeader } from "./header.ts";
import { maxHeaderBytes } from "./limits.ts";
import { sniffBytes, sniffForeign } from "./sniff.ts";
import type { ByteSource, ReadOptions } from "./source.ts";

/** A header and where its data section starts in the file. */
export interface HeaderRead {
  readonly header: SafetensorsHeader;
  /** Absolute offset of the data section. */
  readonly dataOffset: number;
  /** sha256 (hex) of everything before the data section. */
  readonly headerSha256: string;
}

const lengthBytes = 8;

/** Reads and validates the header. A file of another format is refused by its content, with the reason. */
export async function readHeader(source: ByteSource, options: ReadOptions = {}): Promise<HeaderRead> {
  const file = source.name;
  const start = new Uint8Array(Math.min(sniffBytes, source.byteLength));
  await source.readInto(start, 0, options);
  if (start.length === 0)
    throw new CheckpointError({ file, rule: "the file is empty", hint: "download or copy it again" });
  const headerBytes = start.length < lengthBytes ? Number.POSITIVE_INFINITY : headerLength(start);
  const available = source.byteLength - lengthBytes;
  // An opening brace where the header starts settles it: a length may by chance look like another format's signature.
  if (headerBytes > Math.min(available, maxHeaderBytes) || start[lengthBytes] !== 0x7b) {
    throw notSafetensors(file, start, headerBytes, available);
  }
  const prefix = new Uint8Array(lengthBytes + headerBytes);
  await source.readInto(prefix, 0, options);
  const header = parseHeader(prefix.subarray(lengthBytes), available - headerBytes, file);
  return { header, dataOffset: prefix.length, headerSha256: createHash("sha256").update(prefix).digest("hex") };
}

/** The u64 may be anything up to 2^64; past 2^53 the number is rounded, which the limits do not notice. */
function headerLength(start: Uint8Array): number {
  return Number(new DataView(start.buffer, start.byteOffset).getBigUint64(0, true));
}

function notSafetensors(file: string, start: Uint8Array, headerBytes: number, available: number): CheckpointError {
  const foreign = sniffForeign(start);
  if (foreign !== undefined) {
    return new CheckpointError({ file, rule: `not a safetensors file: it is ${foreign.is}`, hint: foreign.hint });
  }
  if (available < 0) {
    return new CheckpointError({
      file,
      rule: `not a safetensors file: ${start.length} bytes, less than the 8 of a length`,
    });
  }
  if (headerBytes <= maxHeaderBytes && headerBytes > available) {
    const rule = `the header should have ${headerBytes} bytes, but only ${available} follow`;
    return new CheckpointError({ file, rule, hint: "the file is truncated: download or copy it again" });
  }
  if (headerBytes > maxHeaderBytes) {
    const rule = `not a safetensors file: the header would have ${headerBytes} bytes, the format allows ${maxHeaderBytes}`;
    return new CheckpointError({ file, rule });
  }
  return new CheckpointError({ file, rule: 'not a safetensors file: the header does not start with "{"' });
}
