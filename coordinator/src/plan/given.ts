/** Companions that lie in no file: tensors like their models', in float32, whose values come with each candidate. */
import { type Checkpoint, type DType, dtypeBytes, elementCount, isFloat, type TensorRef } from "@amalgam/checkpoint";
import type { Slot, SlotHeader } from "./types.ts";

export const GIVEN_DTYPE: DType = "F32";
export const GIVEN_DTYPE_BYTES: number = dtypeBytes(GIVEN_DTYPE);

/** `headers` has those of the checkpoints. One that could not be opened was told, and has nothing to be accompanied. */
export function givenHeader(slot: Slot, headers: readonly SlotHeader[]): SlotHeader {
  const model = headers.find((each) => each.slot.kind !== "companion" && each.slot.path === slot.companion?.modelPath);
  const tensors = [...(model?.checkpoint.tensors.values() ?? [])]
    .filter(({ dtype }) => isFloat(dtype))
    .map(givenTensor);
  const checkpoint: Checkpoint = {
    root: "given with each candidate",
    config: undefined,
    tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])),
    files: [],
    sideFiles: [],
    tied: [],
    identityDigest: "",
  };
  return { slot, checkpoint };
}

/** The same for models whose tensors have changed, as a merged vocabulary changes them. */
export const withGiven = (headers: readonly SlotHeader[]): SlotHeader[] =>
  headers.map((header) => (header.slot.given ? givenHeader(header.slot, headers) : header));

const givenTensor = ({ name, shape }: TensorRef): TensorRef => ({
  name,
  dtype: GIVEN_DTYPE,
  shape,
  file: "",
  offset: 0,
  byteLength: GIVEN_DTYPE_BYTES * elementCount(shape),
});
