// One shard in one compute thread: merges it, or takes one pass of its statistics. Knows methods only as programs.

import { dtypeBytes } from "@amalgam/checkpoint";
import { createDeviceExecutor, type DeviceLink, WASM } from "@amalgam/devices/executor";
import {
  createExecutor,
  decodeState,
  type Executor,
  encodePartial,
  FLAG_INPUT_NOT_FINITE,
  FLAG_OUTPUT_NOT_FINITE,
  type Program,
  type StagePartial,
} from "@amalgam/kernels";
import { deriveInputs } from "./derive-inputs.ts";
import { inputNotFinite, outputNotFinite } from "./not-finite.ts";
import { createHeldSink, createPlacedSink, type OutputSink } from "./output-sink.ts";
import { segmentGroup, segmentProgram } from "./programs.ts";
import { mergedAddress, type SegmentPlan, windowElements } from "./shard-layout.ts";
import { addPartial, type PreparedSegment, scalarsBefore } from "./shard-statistics.ts";
import { TaskError } from "./task-error.ts";
import type { ShardResult, ShardTask, SharedShard, VariantTask } from "./thread-protocol.ts";

export interface ShardCompute {
  /** Makes the derived inputs of slots that have been read just now. */
  derive(slots: ReadonlySet<number>, checkpoint: () => void): void;
  /** @param checkpoint called between blocks; throws when the lease was cancelled */
  run(task: ShardTask, checkpoint: () => void): ShardResult;
}

/** Undefined where the segment is copied. */
type Prepared = PreparedSegment | undefined;

export function createShardCompute(shard: SharedShard, device: DeviceLink | undefined): ShardCompute {
  const { memory, layout, inputFiles } = shard;
  const bytes = new Uint8Array(memory.buffer);
  const executors = { kernels: new Map<Program, Executor>(), device: new Map<Program, Executor>() };
  const variants = new Map<string, { readonly given: string; readonly segments: readonly Prepared[] }>();

  const createFor = (program: Program, backend: string, inputsStay: boolean): Executor => {
    if (backend === WASM) return createExecutor(program, memory, layout.scratchAddress);
    if (device?.backend !== backend) throw new TaskError("failed_precondition", `this worker has no ${backend}`);
    const owner = shard.keepsInputs && inputsStay ? shard.id : undefined;
    return createDeviceExecutor(device, program, memory, layout.scratchAddress, owner);
  };
  const executorOf = (program: Program, backend: string, inputsStay: boolean): Executor => {
    const known = backend === WASM ? executors.kernels : executors.device;
    const executor = known.get(program) ?? createFor(program, backend, inputsStay);
    known.set(program, executor);
    return executor;
  };
  const prepareSegment = (variant: VariantTask, plan: SegmentPlan): Prepared => {
    if (plan.copySlot !== undefined) return undefined;
    const sources = segmentGroup(variant, plan).slots.map((slot) => plan.inputs[slot]!);
    const inputsStay = !sources.some(({ isGiven }) => isGiven);
    const executor = executorOf(segmentProgram(variant, plan), variant.backend, inputsStay);
    const inputs = sources.map(({ address }) => address);
    const { firstElement, elements } = plan;
    return {
      plan,
      executor,
      segment: { inputs, firstElement, elements, rowElements: rowElements(plan) },
      found: new Map(),
    };
  };
  /** Candidates of one variant differ in numbers and given inputs only. */
  const prepare = ({ variant, given }: ShardTask): readonly Prepared[] => {
    const key = JSON.stringify(variant);
    const known = variants.get(key);
    if (known?.given === given) return known.segments;
    const segments = layout.segments.map((plan) => prepareSegment(variant, plan));
    variants.set(key, { given, segments });
    return segments;
  };

  const mergeSegment = (
    prepared: PreparedSegment,
    row: readonly number[],
    task: ShardTask & { kind: "merge" },
    sink: OutputSink,
    checkpoint: () => void,
  ): void => {
    const { plan, executor, segment } = prepared;
    const { graph, spec } = executor.program;
    const scalars = scalarsBefore(prepared, row, graph.stages.length, task.statistics);
    const step = windowElements(plan);
    const sizes = spec.inputDtypes.map(dtypeBytes);
    for (let first = 0; first < plan.elements; first += step) {
      const window = {
        inputs: segment.inputs.map((address, i) => address + first * sizes[i]!),
        firstElement: plan.firstElement + first,
        elements: Math.min(step, plan.elements - first),
        rowElements: rowElements(plan),
      };
      const output = mergedAddress(layout, plan, first);
      const flags = executor.output({ ...window, output }, scalars);
      if ((flags & FLAG_INPUT_NOT_FINITE) !== 0) {
        const { slots } = segmentGroup(task.variant, plan);
        throw inputNotFinite(bytes, { plan, program: executor.program, slots, window, inputFiles });
      }
      if ((flags & FLAG_OUTPUT_NOT_FINITE) !== 0) throw outputNotFinite(plan);
      sink.take(bytes.subarray(output, output + window.elements * dtypeBytes(plan.outputDtype)));
      checkpoint();
    }
  };

  const merge = (task: ShardTask & { kind: "merge" }, checkpoint: () => void): ShardResult => {
    const sink = task.place && layout.placesOutput ? createPlacedSink() : createHeldSink(layout, task.digestSegments);
    prepare(task).forEach((prepared, i) => {
      const plan = layout.segments[i]!;
      sink.begin();
      if (prepared === undefined) sink.take(inputBytes(bytes, plan, plan.copySlot!));
      else mergeSegment(prepared, task.scalars[i] ?? [], task, sink, checkpoint);
      sink.end();
      checkpoint();
    });
    return sink.finish();
  };

  const statistic = (task: ShardTask & { kind: "statistic" }, checkpoint: () => void): ShardResult => {
    const states = new Map(task.states.map(({ tensor, data }) => [tensor, decodeState(data)]));
    const partials = new Map<string, StagePartial>();
    prepare(task).forEach((prepared, i) => {
      if (prepared === undefined || prepared.plan.group !== task.group) return;
      const key = states.has("") ? "" : prepared.plan.tensor;
      const state = states.get(key);
      if (state === undefined) return;
      const scalars = scalarsBefore(prepared, task.scalars[i] ?? [], task.statistic, task.statistics);
      addPartial(partials, key, prepared.executor.statistic(task.statistic, state, prepared.segment, scalars));
      checkpoint();
    });
    return {
      kind: "partials",
      partials: [...partials].map(([tensor, partial]) => ({ tensor, data: encodePartial(partial) })),
    };
  };

  return {
    derive(slots, checkpoint) {
      if (slots.size > 0) deriveInputs(memory, layout, slots, checkpoint);
    },
    run: (task, checkpoint) => (task.kind === "statistic" ? statistic(task, checkpoint) : merge(task, checkpoint)),
  };
}

const rowElements = ({ shape }: SegmentPlan): number => shape.at(-1) ?? 1;

function inputBytes(memory: Uint8Array, plan: SegmentPlan, slot: number): Uint8Array {
  const { address, bytes } = plan.inputs[slot]!;
  return memory.subarray(address, address + bytes);
}
