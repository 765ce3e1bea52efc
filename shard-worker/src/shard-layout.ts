// Where everything of a shard lies in its WebAssembly memory: pure arithmetic. Inputs lie one after another; behind them is the
// place of the merged bytes, or only a window through which they leave, and a work area for the kernels.
import { type DType, dtypeBytes, isDType } from "@amalgam/checkpoint";
import { MATRIX_BLOCK_BYTES } from "@amalgam/kernels";
import type { Shard } from "@amalgam/proto";
import { type DeriveStep, layOutDerived, type StoredRange } from "./derived-layout.ts";
import { TaskError } from "./task-error.ts";

/** The elements of one slot of one segment: what is read of them, and where they lie in memory. */
export interface InputPlan {
  /** The file that messages name. */
  readonly file: number;
  readonly dtype: DType;
  readonly bytes: number;
  /** Byte offset in the shard's memory; a multiple of 16. */
  readonly address: number;
  /** One range, which holds the elements as they are, or all that they are made of. */
  readonly ranges: readonly StoredRange[];
  /** What makes a derived input of its ranges; empty where they are the elements. */
  readonly steps: readonly DeriveStep[];
  /** No range of any file: the values come with each candidate. */
  readonly isGiven?: true;
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
  /** Where the kernels that derive inputs take their parameters from. */
  readonly matrixBlockAddress: number;
  /** Whether merged bytes have a place of their own. */
  readonly placesOutput: boolean;
  /** Else they leave the memory through this window, as long as the largest run of them made in one go. */
  readonly windowAddress: number;
  /** The kernels' work area: from here to the end of the memory. */
  readonly scratchAddress: number;
}

const WINDOW_ELEMENTS = 262_144;
const ALIGNMENT = 16;
const NO_FILE = -1;
// Address 0 is never handed out: a zero pointer in a kernel is a bug, not an input.
const FIRST_ADDRESS = 1024;
/** Part of the memory that is never handed out. */
const MATRIX_BLOCK_ADDRESS = FIRST_ADDRESS - align(MATRIX_BLOCK_BYTES);

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
  const take = (bytes: number): number => {
    const at = address;
    address = align(address + bytes);
    return at;
  };
  const segments = shard.segments.map((segment): SegmentPlan => {
    const elements = Number(segment.elements);
    const { copySlot, group, tensor } = segment;
    const inputs = segment.inputs.map((slice, slot): InputPlan | undefined => {
      const wanted = copySlot === undefined ? slots === "all" || slots.has(slot) : slot === copySlot;
      if (slice.dtype === "" || !wanted) return undefined;
      const dtype = knownDType(tensor, slice.dtype);
      const bytes = elements * dtypeBytes(dtype);
      const { derived } = slice;
      let plan: InputPlan;
      if (slice.given) {
        if (dtype !== "F32") throw new TaskError("invalid_argument", `tensor "${tensor}": values given as ${dtype}`);
        plan = { file: NO_FILE, dtype, bytes, address: take(bytes), ranges: [], steps: [], isGiven: true };
        inputBytes += bytes;
      } else if (derived === undefined) {
        const range = { file: slice.file, offset: Number(slice.offset), bytes, address: take(bytes) };
        plan = { file: slice.file, dtype, bytes, address: range.address, ranges: [range], steps: [] };
      } else {
        const target = { tensor, dtype, firstElement: Number(segment.firstElement), elements };
        plan = { file: derived.sources[0]?.file ?? 0, dtype, bytes, ...layOutDerived(derived, target, take) };
      }
      inputBytes += plan.ranges.reduce((sum, range) => sum + range.bytes, 0);
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
  return {
    segments,
    inputBytes,
    outputBytes,
    matrixBlockAddress: MATRIX_BLOCK_ADDRESS,
    placesOutput,
    windowAddress: address,
    scratchAddress: align(address + windowBytes),
  };
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
export interface InputRange extends StoredRange {
  readonly tensor: string;
  readonly slot: number;
}

/** The ranges of the given slots, in the order of the files: a disk reads forwards. */
export function inputRanges(layout: ShardLayout, slots: ReadonlySet<number>): InputRange[] {
  const ranges: InputRange[] = [];
  for (const { tensor, inputs } of layout.segments) {
    inputs.forEach((input, slot) => {
      if (input === undefined || !slots.has(slot)) return;
      for (const range of input.ranges) ranges.push({ ...range, tensor, slot });
    });
  }
  return ranges.sort((a, b) => a.file - b.file || a.offset - b.offset);
}

/** Those of the slots that have an input which must be made of what was read. */
export function derivedSlots(layout: ShardLayout, slots: ReadonlySet<number>): Set<number> {
  const derived = new Set<number>();
  for (const { inputs } of layout.segments) {
    inputs.forEach((input, slot) => {
      if (input !== undefined && input.steps.length > 0 && slots.has(slot)) derived.add(slot);
    });
  }
  return derived;
}

/** Those of the slots whose values come with the candidate. */
export function givenSlots(layout: ShardLayout, slots: ReadonlySet<number>): Set<number> {
  const isGiven = (slot: number): boolean => layout.segments.some(({ inputs }) => inputs[slot]?.isGiven === true);
  return new Set([...slots].filter(isGiven));
}
