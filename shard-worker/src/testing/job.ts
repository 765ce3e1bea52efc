// For tests: a job as a coordinator would plan it. Writes small safetensors files, cuts their tensors into segments and
// shards, and lays out the output. Knows the wire and nothing of the worker.
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DType, dtypeBytes, layoutFile } from "@amalgam/checkpoint";
import type { InputFileSchema, ShardSchema } from "@amalgam/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";

export interface TestTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Raw little-endian bytes. */
  readonly bytes: Uint8Array;
}

export interface TestJob {
  readonly files: MessageInitShape<typeof InputFileSchema>[];
  readonly shards: MessageInitShape<typeof ShardSchema>[];
  readonly outputBytes: number;
  readonly outputHeader: Uint8Array;
  /** Where each tensor's merged bytes begin in the output file. */
  readonly offsets: ReadonlyMap<string, { readonly begin: number; readonly end: number }>;
}

/** Pseudo-random float32 values in (-1, 1), the same for the same seed. */
export function randomFloats(seed: number, count: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(count);
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = (state / 2 ** 31 - 1) * 0.5;
  }
  return values;
}

export function floatTensor(name: string, shape: readonly number[], values: Float32Array<ArrayBuffer>): TestTensor {
  return { name, dtype: "F32", shape, bytes: new Uint8Array(values.buffer) };
}

export function randomTensor(name: string, shape: readonly number[], seed: number): TestTensor {
  return floatTensor(
    name,
    shape,
    randomFloats(
      seed,
      shape.reduce((a, b) => a * b, 1),
    ),
  );
}

/** The same values cut to bfloat16. */
export function asBfloat16({ name, shape, bytes }: TestTensor): TestTensor {
  const halves = new Uint16Array(bytes.buffer as ArrayBuffer);
  const upper = Uint16Array.from({ length: halves.length / 2 }, (_, i) => halves[2 * i + 1]!);
  return { name, dtype: "BF16", shape, bytes: new Uint8Array(upper.buffer) };
}

/** Writes a safetensors file and returns it with the absolute ranges of its tensors. */
export function writeSafetensors(path: string, tensors: readonly TestTensor[]) {
  const layout = layoutFile(tensors);
  const content = new Uint8Array(layout.fileBytes);
  content.set(layout.header);
  for (const { name, bytes } of tensors) content.set(bytes, layout.tensors.get(name)!.begin);
  writeFileSync(path, content);
  const headerSha256 = createHash("sha256").update(layout.header).digest("hex");
  const file = { path, byteLength: BigInt(layout.fileBytes), headerBytes: BigInt(layout.header.length), headerSha256 };
  return { file, ranges: layout.tensors };
}

export interface TestJobOptions {
  readonly directory: string;
  /** Tensors of each slot; every slot has those of the first one. Each slot becomes one file. */
  readonly slots: readonly (readonly TestTensor[])[];
  /** Largest segment; default: whole tensors. */
  readonly segmentElements?: number;
  /** Slots behind those, whose values come with each candidate. */
  readonly givenSlots?: number;
  /** Segments per shard; default: all of them in one. */
  readonly segmentsPerShard?: number;
}

/** Integer tensors are copied from slot 0, all others merged into the dtype of slot 0. */
export function makeJob(options: TestJobOptions): TestJob {
  const {
    directory,
    slots,
    givenSlots = 0,
    segmentElements = Number.POSITIVE_INFINITY,
    segmentsPerShard = Number.POSITIVE_INFINITY,
  } = options;
  mkdirSync(directory, { recursive: true });
  const written = slots.map((tensors, slot) => writeSafetensors(join(directory, `slot-${slot}.safetensors`), tensors));
  const output = layoutFile(slots[0]!);
  const segments = slots[0]!.flatMap(({ name, dtype, shape }) => {
    const total = shape.reduce((a, b) => a * b, 1);
    const step = Math.min(segmentElements, total);
    return Array.from({ length: Math.ceil(total / step) }, (_, i) => {
      const first = i * step;
      return {
        tensor: name,
        shape: shape.map(BigInt),
        firstElement: BigInt(first),
        elements: BigInt(Math.min(step, total - first)),
        inputs: [
          ...slots.map((tensors, slot) => {
            const source = tensors.find((tensor) => tensor.name === name)!;
            const offset = written[slot]!.ranges.get(name)!.begin + first * dtypeBytes(source.dtype);
            return { file: slot, offset: BigInt(offset), dtype: source.dtype };
          }),
          ...Array.from({ length: givenSlots }, () => ({ dtype: "F32", given: true })),
        ],
        outputDtype: dtype,
        outputFile: 0,
        outputOffset: BigInt(output.tensors.get(name)!.begin + first * dtypeBytes(dtype)),
        ...(dtype.startsWith("I") ? { copySlot: 0 } : {}),
      };
    });
  });
  const size = Math.min(segmentsPerShard, segments.length);
  const count = Math.ceil(segments.length / size);
  return {
    files: written.map(({ file }) => file),
    shards: Array.from({ length: count }, (_, index) => ({
      index,
      segments: segments.slice(index * size, (index + 1) * size),
    })),
    outputBytes: output.fileBytes,
    outputHeader: output.header,
    offsets: output.tensors,
  };
}
