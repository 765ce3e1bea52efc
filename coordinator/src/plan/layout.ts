/** Numbers the input files and places: from headers and cuts to the wire's files, slices, segments and shards. */

import { dtypeBytes, type TensorRef } from "@amalgam/checkpoint";
import {
  type InputFile,
  InputFileSchema,
  type InputSlice,
  InputSliceSchema,
  type Segment,
  SegmentSchema,
  type Shard,
  ShardSchema,
} from "@amalgam/proto";
import { create } from "@bufbuild/protobuf";
import type { Cut } from "./cut.ts";
import { REFERENCE_SLOT } from "./match.ts";
import type { PlannedTensor, SlotHeader, TensorSource } from "./types.ts";

export type LocatedTensor = Omit<PlannedTensor, "firstShard" | "lastShard">;

/** For each slot, the number of each of its files by name. */
export type FileIndex = readonly ReadonlyMap<string, number>[];

/** The files of all slots, numbered in slot order. */
export function inputFiles(headers: readonly SlotHeader[]): {
  readonly files: InputFile[];
  readonly fileIndex: FileIndex;
} {
  const files: InputFile[] = [];
  const fileIndex = headers.map(({ checkpoint }) => {
    // Tensor data starts right behind the header and without a gap.
    const headerBytes = new Map<string, number>();
    for (const { file, offset } of checkpoint.tensors.values()) {
      headerBytes.set(file, Math.min(offset, headerBytes.get(file) ?? Number.POSITIVE_INFINITY));
    }
    const numbers = new Map<string, number>();
    for (const { name, path, byteLength, headerSha256 } of checkpoint.files) {
      numbers.set(name, files.length);
      const bytes = headerBytes.get(name) ?? byteLength;
      files.push(
        create(InputFileSchema, { path, byteLength: BigInt(byteLength), headerSha256, headerBytes: BigInt(bytes) }),
      );
    }
    return numbers;
  });
  return { files, fileIndex };
}

export function locateSources(
  sources: readonly (TensorRef | undefined)[],
  fileIndex: FileIndex,
): (TensorSource | undefined)[] {
  return sources.map((source, slot) => {
    const file = source === undefined ? undefined : fileIndex[slot]?.get(source.file);
    return source === undefined || file === undefined
      ? undefined
      : { file, dtype: source.dtype, offset: source.offset };
  });
}

export function shardMessages(tensors: readonly PlannedTensor[], cuts: readonly (readonly Cut[])[]): Shard[] {
  return cuts.map((shard, index) =>
    create(ShardSchema, {
      index,
      segments: shard.map((cut) => segmentMessage(tensors[cut.tensor] as PlannedTensor, cut)),
    }),
  );
}

function segmentMessage(tensor: PlannedTensor, { firstElement, elements }: Cut): Segment {
  return create(SegmentSchema, {
    tensor: tensor.name,
    shape: tensor.shape.map(BigInt),
    firstElement: BigInt(firstElement),
    elements: BigInt(elements),
    inputs: tensor.sources.map((source) => inputSlice(source, firstElement)),
    outputDtype: tensor.outputDtype,
    outputFile: tensor.outputFile,
    outputOffset: BigInt(tensor.outputOffset + firstElement * dtypeBytes(tensor.outputDtype)),
    ...(tensor.action === "copy" ? { copySlot: REFERENCE_SLOT } : { group: tensor.group }),
  });
}

function inputSlice(source: TensorSource | undefined, firstElement: number): InputSlice {
  if (source === undefined) return create(InputSliceSchema);
  const { file, dtype, offset } = source;
  return create(InputSliceSchema, { file, dtype, offset: BigInt(offset + firstElement * dtypeBytes(dtype)) });
}
