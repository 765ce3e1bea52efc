/** Numbers the input files and places: from headers and cuts to the wire's files, slices, segments and shards. */

import { type CheckpointFile, type DType, dtypeBytes, remoteVersion, type TensorRef } from "@amalgam/checkpoint";
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
import { derivedInput, derivingBytes, planDerivation } from "./derivations.ts";
import { GIVEN_DTYPE } from "./given.ts";
import type { PlannedTensor, SlotHeader, TensorSource } from "./types.ts";

export type LocatedTensor = Omit<PlannedTensor, "firstShard" | "lastShard">;

/** Files by their number in the plan. One that several slots have is one file. */
export type FileNumbers = ReadonlyMap<CheckpointFile, number>;

/** The files of all slots, numbered in slot order. */
export function inputFiles(headers: readonly SlotHeader[]): {
  readonly files: InputFile[];
  readonly numbers: FileNumbers;
} {
  const files: InputFile[] = [];
  const numbers = new Map<CheckpointFile, number>();
  for (const file of headers.flatMap(({ checkpoint }) => checkpoint.files)) {
    if (numbers.has(file)) continue;
    numbers.set(file, files.length);
    const { path, byteLength, headerSha256, headerBytes } = file;
    files.push(
      create(InputFileSchema, {
        path,
        byteLength: BigInt(byteLength),
        headerSha256,
        headerBytes: BigInt(headerBytes),
        version: remoteVersion(file),
      }),
    );
  }
  return { files, numbers };
}

/** Finds the sources of tensors in the numbered files. */
export function sourceLocator(headers: readonly SlotHeader[], numbers: FileNumbers): SourceLocator {
  const byName = headers.map(({ checkpoint }) => new Map(checkpoint.files.map((file) => [file.name, file])));
  return (sources, action) =>
    sources.map((source, slot) => {
      const file = source && byName[slot]?.get(source.file);
      const number = file && numbers.get(file);
      if (source !== undefined && headers[slot]?.slot.given)
        return { file: 0, dtype: GIVEN_DTYPE, offset: 0, bytesPerElement: dtypeBytes(GIVEN_DTYPE), given: true };
      if (source === undefined || number === undefined) return undefined;
      const { derived, dtype, offset } = source;
      if (derived === undefined) return { file: number, dtype, offset, bytesPerElement: dtypeBytes(dtype) };
      // A copy is rounded to the dtype that it is stored in.
      const read = action === "copy" ? copiedDType(source) : derived.dtype;
      return {
        file: number,
        dtype: read,
        offset,
        bytesPerElement: Math.max(4, dtypeBytes(read)) + derivingBytes(derived),
        derived: planDerivation(derived, numbers),
      };
    });
}

export type SourceLocator = (
  sources: readonly (TensorRef | undefined)[],
  action: "merge" | "copy",
) => (TensorSource | undefined)[];

/** Dtype of a tensor that is copied: its own, but what is computed in float32 gains nothing from float64. */
export function copiedDType({ dtype, derived }: TensorRef): DType {
  return derived?.dtype === "F32" && dtypeBytes(dtype) > 4 ? "F32" : dtype;
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
    inputs: tensor.sources.map((source) => inputSlice(source, firstElement, elements)),
    outputDtype: tensor.outputDtype,
    outputFile: tensor.outputFile,
    outputOffset: BigInt(tensor.outputOffset + firstElement * dtypeBytes(tensor.outputDtype)),
    ...(tensor.action === "copy" ? { copySlot: tensor.reference } : { group: tensor.group }),
  });
}

function inputSlice(source: TensorSource | undefined, firstElement: number, elements: number): InputSlice {
  if (source === undefined) return create(InputSliceSchema);
  const { file, dtype, offset, derived, given } = source;
  if (given) return create(InputSliceSchema, { dtype, given });
  if (derived !== undefined) {
    return create(InputSliceSchema, { dtype, derived: derivedInput(derived, firstElement, elements) });
  }
  return create(InputSliceSchema, { file, dtype, offset: BigInt(offset + firstElement * dtypeBytes(dtype)) });
}
