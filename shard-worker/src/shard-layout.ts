// Where everything of a shard lies in its WebAssembly memory: pure arithmetic. Inputs lie one after another; behind them is the
// place of the merged bytes, or only a window through which they leave, and a work area for the kernels.
import { type DType, dtypeBytes, isDType } from "@amalgam/checkpoint";
import type { Shard } from "@amalgam/proto";
import { TaskError } from "./task-error.ts";

/** The bytes of one slot of one segment: where they lie in a file, and where in memory. */
export interface InputPlan {
  readonly file: number;
  /** Offset of the first byte in the file. */
  readonly offset: number;
  readonly dtype: DType;
  readonly bytes: number;
  /** Byte offset in the shard's memory; a multiple of 16. */
  readonly address: number;
}

export interface SegmentPlan {
  readonly tensor: string;
  readonly shape: readonly number[];
  readonly firstElement: number;
  readonly elements: number;
  /** By slot of the job; undefined where the slot lacks this tensor or is not wanted. */
  readonly inputs: readonly (InputPlan | undefined)[];
  readonly outputDtype: DType;
  readonly outputBytes: number;
  /** Where the merged bytes have their place; those of a copied tensor are its input's. Undefined in a layout without. */
  readonly outputAddress: number | undefined;
  readonly outputFile: number;
  readonly outputOffset: number;
  /** Set when the tensor is copied from this slot instead of merged. */
  readonly copySlot: number | undefined;
  /** Index into the groups of a variant: what merges it otherwise. */
  readonly group: number;
}

export interface ShardLayout {
  readonly segments: readonly SegmentPlan[];
  readonly inputBytes: number;
  readonly outputBytes: number;
  /** Whether merged bytes have a place of their own. */
  readonly placesOutput: boolean;
  /** Else they leave the memory through this window, as long as the largest run of them made in one go. */
  readonly windowAddress: number;
  /** The kernels' work area: from here to the end of the memory. */
  readonly scratchAddress: number;
}

const WINDOW_ELEMENTS = 262_144;
const ALIGNMENT = 16;
// Address 0 is never handed out: a zero pointer in a kernel is a bug, not an input.
const FIRST_ADDRESS = 1024;

/** The next multiple of 16 bytes. */
export function align(address: number): number {
  return Math.ceil(address / ALIGNMENT) * ALIGNMENT;
}

/**
 * Lays out a shard's inputs.
 * @param slots the slots to make room for; a copied segment's own slot always gets room
 * @param placesOutput make room for all merged bytes
 * @throws TaskError invalid_argument when a segment names an unknown dtype, or copies a slot that it lacks
 */
export function layOutShard(shard: Shard, slots: ReadonlySet<number> | "all", placesOutput: boolean): ShardLayout {
  let address = FIRST_ADDRESS;
  let inputBytes = 0;
  let outputBytes = 0;
  let windowBytes = 0;
  const segments = shard.segments.map((segment): SegmentPlan => {
    const elements = Number(segment.elements);
    const { copySlot, group, tensor } = segment;
    const inputs = segment.inputs.map((slice, slot): InputPlan | undefined => {
      const wanted = copySlot === undefined ? slots === "all" || slots.has(slot) : slot === copySlot;
      if (slice.dtype === "" || !wanted) return undefined;
      const dtype = knownDType(tensor, slice.dtype);
      const bytes = elements * dtypeBytes(dtype);
      const plan = { file: slice.file, offset: Number(slice.offset), dtype, bytes, address };
      address = align(address + bytes);
      inputBytes += bytes;
      return plan;
    });
    const outputDtype = knownDType(tensor, segment.outputDtype);
    const segmentBytes = elements * dtypeBytes(outputDtype);
    if (copySlot !== undefined && inputs[copySlot]?.dtype !== outputDtype) {
      throw new TaskError(
        "invalid_argument",
        `tensor "${tensor}": to be copied as ${outputDtype} from input ${copySlot}, which has ${inputs[copySlot]?.dtype ?? "no such tensor"}`,
      );
    }
    outputBytes += segmentBytes;
    const ownAddress = copySlot === undefined ? address : inputs[copySlot]!.address;
    if (placesOutput && copySlot === undefined) address = align(address + segmentBytes);
    const plan: SegmentPlan = {
      tensor,
      shape: segment.shape.map(Number),
      firstElement: Number(segment.firstElement),
      elements,
      inputs,
      outputDtype,
      outputBytes: segmentBytes,
      outputAddress: placesOutput ? ownAddress : undefined,
      outputFile: segment.outputFile,
      outputOffset: Number(segment.outputOffset),
      copySlot,
      group,
    };
    if (copySlot === undefined && !placesOutput)
      windowBytes = Math.max(windowBytes, windowElements(plan) * dtypeBytes(outputDtype));
    return plan;
  });
  const scratchAddress = align(address + windowBytes);
  return { segments, inputBytes, outputBytes, placesOutput, windowAddress: address, scratchAddress };
}

/** Address at which the merged elements of a segment, from `first` on, are put. */
export function mergedAddress({ windowAddress }: ShardLayout, segment: SegmentPlan, first: number): number {
  const { outputAddress, outputDtype } = segment;
  return outputAddress === undefined ? windowAddress : outputAddress + first * dtypeBytes(outputDtype);
}

/** Elements that are merged in one go: whole rows, and about as much as stays in a core's cache until it is hashed. */
export function windowElements({ shape, elements }: SegmentPlan): number {
  const row = Math.max(shape.at(-1) ?? 1, 1);
  return Math.min(elements, Math.max(1, Math.round(WINDOW_ELEMENTS / row)) * row);
}

function knownDType(tensor: string, name: string): DType {
  if (isDType(name)) return name;
  throw new TaskError("invalid_argument", `tensor "${tensor}": unknown dtype "${name}"`);
}

/** One range to read from a file into memory. */
export interface InputRange extends InputPlan {
  readonly tensor: string;
  readonly slot: number;
}

/** The ranges of the given slots, in the order of the files: a disk reads forwards. */
export function inputRanges(layout: ShardLayout, slots: ReadonlySet<number>): InputRange[] {
  const ranges: InputRange[] = [];
  for (const { tensor, inputs } of layout.segments) {
    inputs.forEach((input, slot) => {
      if (input !== undefined && slots.has(slot)) ranges.push({ ...input, tensor, slot });
    });
  }
  return ranges.sort((a, b) => a.file - b.file || a.offset - b.offset);
}
