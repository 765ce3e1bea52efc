// One shard in one compute thread: merges it, or takes one pass of its statistics. Knows methods only as programs.

import { dtypeBytes } from "@amalgam/checkpoint";
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
import { inputNotFinite, outputNotFinite } from "./not-finite.ts";
import { createFileSink, createHeldSink, type OutputSink } from "./output-sink.ts";
import { segmentProgram } from "./programs.ts";
import { type SegmentPlan, windowElements } from "./shard-layout.ts";
import { addPartial, type MergeSegment, type StatisticCache, scalarsBefore } from "./shard-statistics.ts";
import type { ShardResult, ShardTask, SharedShard, VariantTask } from "./thread-protocol.ts";

/** Told how long each phase took. */
export interface PhaseClock {
  add(phase: "compute" | "write", ms: number): void;
}

export interface ShardCompute {
  readonly memory: Uint8Array;
  /** @param checkpoint called between blocks; throws when the lease was cancelled */
  run(task: ShardTask, clock: PhaseClock, checkpoint: () => void): ShardResult;
}

interface Compiled {
  readonly executor: Executor;
  readonly cache: StatisticCache;
}

export function createShardCompute({ memory, layout, inputFiles }: SharedShard): ShardCompute {
  const bytes = new Uint8Array(memory.buffer);
  const compiled = new Map<Program, Compiled>();

  const compile = (program: Program): Compiled => {
    let known = compiled.get(program);
    if (known === undefined) {
      known = { executor: createExecutor(program, memory, layout.scratchAddress), cache: new Map() };
      compiled.set(program, known);
    }
    return known;
  };

  const prepare = (variant: VariantTask, plan: SegmentPlan, row: readonly number[]): MergeSegment & Compiled => {
    const { executor, cache } = compile(segmentProgram(variant, plan));
    const segment = {
      inputs: variant.slots.map((slot) => plan.inputs[slot]!.address),
      firstElement: plan.firstElement,
      elements: plan.elements,
      rowElements: rowElements(plan),
    };
    return { plan, executor, cache, segment, row };
  };

  const mergeSegment = (
    { plan, executor, segment, row, cache }: MergeSegment & Compiled,
    task: ShardTask & { kind: "merge" },
    emit: (chunk: Uint8Array) => void,
  ): void => {
    const { graph, spec } = executor.program;
    const scalars = scalarsBefore({ plan, executor, segment, row }, graph.stages.length, task.statistics, cache);
    const step = windowElements(plan);
    const sizes = spec.inputDtypes.map(dtypeBytes);
    for (let first = 0; first < plan.elements; first += step) {
      const window = {
        inputs: segment.inputs.map((address, i) => address + first * sizes[i]!),
        firstElement: plan.firstElement + first,
        elements: Math.min(step, plan.elements - first),
        rowElements: rowElements(plan),
      };
      const flags = executor.output({ ...window, output: layout.windowAddress }, scalars);
      if ((flags & FLAG_INPUT_NOT_FINITE) !== 0) {
        throw inputNotFinite(bytes, { plan, program: executor.program, slots: task.variant.slots, window, inputFiles });
      }
      if ((flags & FLAG_OUTPUT_NOT_FINITE) !== 0) throw outputNotFinite(plan);
      const length = window.elements * dtypeBytes(plan.outputDtype);
      emit(bytes.subarray(layout.windowAddress, layout.windowAddress + length));
    }
  };

  const merge = (
    task: ShardTask & { kind: "merge" },
    sink: OutputSink,
    clock: PhaseClock,
    checkpoint: () => void,
  ): ShardResult => {
    let writeMs = 0;
    const started = performance.now();
    const emit = (chunk: Uint8Array): void => {
      const before = performance.now();
      sink.write(chunk);
      writeMs += performance.now() - before;
      checkpoint();
    };
    layout.segments.forEach((plan, i) => {
      sink.begin(plan);
      if (plan.copySlot === undefined) mergeSegment(prepare(task.variant, plan, task.scalars[i] ?? []), task, emit);
      else emit(inputBytes(bytes, plan, plan.copySlot));
      sink.end();
    });
    const before = performance.now();
    const result = sink.finish();
    const ended = performance.now();
    clock.add("write", writeMs + ended - before);
    clock.add("compute", before - started - writeMs);
    return result;
  };

  const statistic = (task: ShardTask & { kind: "statistic" }, checkpoint: () => void): ShardResult => {
    const states = new Map(task.states.map(({ tensor, data }) => [tensor, decodeState(data)]));
    const partials = new Map<string, StagePartial>();
    layout.segments.forEach((plan, i) => {
      const key = states.has("") ? "" : plan.tensor;
      const state = states.get(key);
      if (plan.copySlot !== undefined || state === undefined) return;
      const prepared = prepare(task.variant, plan, task.scalars[i] ?? []);
      const scalars = scalarsBefore(prepared, task.statistic, task.statistics, prepared.cache);
      addPartial(partials, key, prepared.executor.statistic(task.statistic, state, prepared.segment, scalars));
      checkpoint();
    });
    return {
      kind: "partials",
      partials: [...partials].map(([tensor, partial]) => ({ tensor, data: encodePartial(partial) })),
    };
  };

  return {
    memory: bytes,
    run(task, clock, checkpoint) {
      if (task.kind === "statistic") {
        const started = performance.now();
        const result = statistic(task, checkpoint);
        clock.add("compute", performance.now() - started);
        return result;
      }
      const sink =
        task.target === undefined ? createHeldSink(layout, task.digestSegments) : createFileSink(layout, task.target);
      try {
        return merge(task, sink, clock, checkpoint);
      } finally {
        sink.close();
      }
    },
  };
}

const rowElements = ({ shape }: SegmentPlan): number => shape.at(-1) ?? 1;

function inputBytes(memory: Uint8Array, plan: SegmentPlan, slot: number): Uint8Array {
  const { address, bytes } = plan.inputs[slot]!;
  return memory.subarray(address, address + bytes);
}
