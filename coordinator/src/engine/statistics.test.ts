import type { TensorSpec } from "@amalgam/checkpoint";
import {
  buildProgram,
  createExecutor,
  createMemory,
  decodeState,
  type Executor,
  encodePartial,
  type MergeGraph,
  mergePartials,
  mergeTensors,
  type Program,
  type Scalars,
  type StagePartial,
} from "@amalgam/kernels";
import { StatisticDoneSchema } from "@amalgam/proto";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Plan, type PlannedVariant, planJob, reductionScopes, scalarRows } from "../plan/index.ts";
import { syntheticCheckpoint, syntheticJob } from "../plan/testing/synthetic.ts";
import { type ReducedStage, reduceStatistics, type StatisticCache, type StatisticPass } from "./statistics.ts";

const BLOCK = 65_536;
// More elements than a scope has that is searched without sampling first; the last block of a tensor is not full.
const SPECS: TensorSpec[] = [
  { name: "large", dtype: "F32", shape: [6 * BLOCK + 100] },
  { name: "empty", dtype: "F32", shape: [0, 8] },
  { name: "medium", dtype: "F32", shape: [3, BLOCK] },
  { name: "small", dtype: "F32", shape: [12] },
  { name: "ids", dtype: "I64", shape: [4] },
];
const elementsOf = ({ shape }: TensorSpec): number => shape.reduce((product, size) => product * size, 1);
const MODELS = "base_model: base\nmodels: [{model: a}, {model: b}]\n";
const TIES_OFFICIAL = `merge_method: ties_official\n${MODELS}`;
const TIES = `merge_method: ties\n${MODELS}parameters: {weight: 1, density: 0.3}\n`;

/** Weights with many equal magnitudes, so that thresholds fall among equals. */
function weights(model: number, tensor: number, elements: number): Uint8Array {
  const values = new Float32Array(elements);
  let state = 1 + model * 97 + tensor * 31;
  for (let i = 0; i < elements; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    values[i] = Math.round((state / 2 ** 32 - 0.5) * 4000) / 1000;
  }
  return new Uint8Array(values.buffer);
}
const INPUTS = SPECS.map((spec, tensor) => [0, 1, 2].map((model) => weights(model, tensor, elementsOf(spec))));

const planOf = (text: string, shardBytes: number): Plan =>
  planJob({ ...syntheticJob(text, (path) => syntheticCheckpoint(path, SPECS)), shardBytes });
const own = (plan: Plan): PlannedVariant => plan.variants[0]!;
const graphOf = ({ groups }: PlannedVariant): MergeGraph => groups[0]!.graph;
const programOf = ({ groups }: PlannedVariant): Program => {
  const { spec, graph } = groups[0]!;
  return buildProgram({ ...spec, inputDtypes: graph.inputs.map(() => "F32" as const), outputDtype: "F32" });
};

interface Shards {
  readonly pass: StatisticPass;
  readonly passes: { count: number };
}

/** Workers in this process: each shard is computed with the kernels package, and answers after `delay` turns of the event loop. */
function inProcess(plan: Plan, delay: (shard: number) => number): Shards {
  const planned = own(plan);
  const graph = graphOf(planned);
  const program = programOf(planned);
  const places = place(program);
  const passes = { count: 0 };
  const pass: StatisticPass = async (shard, stage, _round, states, reduced) => {
    passes.count++;
    for (let turn = delay(shard); turn > 0; turn--) await new Promise((resolve) => setImmediate(resolve));
    const rows = scalarRows(plan, planned)(shard);
    const partials = new Map<string, StagePartial>();
    for (const [index, segment] of plan.shards[shard]!.segments.entries()) {
      const key = states.length === 1 && states[0]!.tensor === "" ? "" : segment.tensor;
      const state = states.find(({ tensor }) => tensor === key);
      if (segment.copySlot !== undefined || state === undefined) continue;
      const scalars = { ...named(graph.parameters, rows[index]!.values), ...before(graph, reduced, key) };
      const first = Number(segment.firstElement);
      const inputs = places.addresses[SPECS.findIndex(({ name }) => name === segment.tensor)]!.map(
        (at) => at + 4 * first,
      );
      const found = places.executor.statistic(
        stage,
        decodeState(state.data),
        { inputs, firstElement: first, elements: Number(segment.elements) },
        scalars,
      );
      partials.set(key, partials.has(key) ? mergePartials(partials.get(key)!, found) : found);
    }
    return create(StatisticDoneSchema, {
      partials: [...partials].map(([tensor, partial]) => ({ tensor, data: encodePartial(partial) })),
    });
  };
  return { pass, passes };
}

function place(program: Program): { readonly executor: Executor; readonly addresses: number[][] } {
  let end = program.scratchBytes;
  const addresses = INPUTS.map((models) =>
    models.map((bytes) => {
      end += bytes.length;
      return end - bytes.length;
    }),
  );
  const memory = createMemory(end);
  const all = new Uint8Array(memory.buffer);
  INPUTS.forEach((models, tensor) => {
    models.forEach((bytes, model) => {
      all.set(bytes, addresses[tensor]![model]!);
    });
  });
  return { executor: createExecutor(program, memory, 0), addresses };
}

const named = (names: readonly string[], values: readonly number[]): Scalars =>
  Object.fromEntries(names.map((name, index) => [name, values[index]!]));
const before = (graph: MergeGraph, reduced: readonly ReducedStage[], tensor: string): Scalars =>
  Object.assign(
    {},
    ...reduced
      .filter((each) => each.tensor === "" || each.tensor === tensor)
      .map(({ stage, values }) => named(graph.stages[stage]!.outputs, values)),
  );

/** The same statistics of whole tensors in one call, by tensor. */
function inOnePiece(text: string): Map<string, Scalars> {
  const plan = planOf(text, 1e12);
  const planned = own(plan);
  const rows = scalarRows(plan, planned)(0);
  const merged = plan.shards[0]!.segments.flatMap((segment, index) => {
    if (segment.copySlot !== undefined) return [];
    const scalars = named(graphOf(planned).parameters, rows[index]!.values);
    return [{ tensor: segment.tensor, elements: Number(segment.elements), scalars }];
  });
  const results = mergeTensors(
    programOf(planned),
    merged.map(({ tensor, elements, scalars }) => {
      return { inputs: INPUTS[SPECS.findIndex(({ name }) => name === tensor)]!, elements, scalars };
    }),
  );
  return new Map(merged.map(({ tensor }, index) => [tensor, results[index]!.scalars]));
}

const reduce = (plan: Plan, { pass }: Shards, cache: StatisticCache = new Map()): Promise<ReducedStage[]> =>
  reduceStatistics(graphOf(own(plan)), (stage) => reductionScopes(plan, own(plan), 0, stage), pass, cache, "variant");

const cuts = fc.record({
  blocksPerShard: fc.integer({ min: 1, max: 12 }),
  delays: fc.array(fc.nat(5), { minLength: 1, maxLength: 7 }),
});

for (const [scope, text] of [
  ["model", TIES_OFFICIAL],
  ["tensor", TIES],
] as const) {
  test(`statistics of scope ${scope} are those of one piece, however shards are cut and in whatever order they answer`, async () => {
    const expected = inOnePiece(text);
    await fc.assert(
      fc.asyncProperty(cuts, async ({ blocksPerShard, delays }) => {
        const plan = planOf(text, blocksPerShard * BLOCK * 4 * 3);
        const graph = graphOf(own(plan));
        expect(graph.stages.every((stage) => stage.scope === scope)).toBe(true);
        const reduced = await reduce(
          plan,
          inProcess(plan, (shard) => delays[shard % delays.length]!),
        );
        for (const { stage, tensor, values } of reduced) {
          const whole = expected.get(tensor === "" ? "large" : tensor)!;
          expect(named(graph.stages[stage]!.outputs, values)).toEqual(
            Object.fromEntries(graph.stages[stage]!.outputs.map((name) => [name, whole[name]])),
          );
        }
        const cutTensors = plan.tensors.filter(({ firstShard, lastShard }) => firstShard < lastShard).length;
        expect(reduced).toHaveLength(graph.stages.length * (scope === "model" ? 1 : cutTensors));
      }),
      { numRuns: 8 },
    );
  });
}

test("what is known is not found again: a second candidate needs no pass, another density does", async () => {
  const plan = planOf(TIES_OFFICIAL, 3 * BLOCK * 4 * 3);
  const shards = inProcess(plan, () => 0);
  const cache: StatisticCache = new Map();
  const first = await reduce(plan, shards, cache);
  const { count } = shards.passes;
  expect(count).toBeGreaterThan(0);
  expect(await reduce(plan, shards, cache)).toEqual(first);
  // Lambda scales the merged task vector: no statistic depends on it.
  const scaled = planOf(`${TIES_OFFICIAL}parameters: {lambda: 0.4}\n`, 3 * BLOCK * 4 * 3);
  expect(
    await reduce(
      scaled,
      inProcess(scaled, () => 0),
      cache,
    ),
  ).toEqual(first);
  expect(shards.passes.count).toBe(count);
  const denser = planOf(`${TIES_OFFICIAL}parameters: {density: 0.6}\n`, 3 * BLOCK * 4 * 3);
  const dense = inProcess(denser, () => 0);
  expect(await reduce(denser, dense, cache)).not.toEqual(first);
  expect(dense.passes.count).toBeGreaterThan(0);
});

test("a shard that leaves out a statistic it was asked for is found out", async () => {
  const plan = planOf(TIES, 3 * BLOCK * 4 * 3);
  const { pass } = inProcess(plan, () => 0);
  const silent: StatisticPass = async (shard, ...rest) => {
    const done = await pass(shard, ...rest);
    return shard === 1 ? create(StatisticDoneSchema, { partials: [] }) : done;
  };
  await expect(reduce(plan, { pass: silent, passes: { count: 0 } })).rejects.toThrow(
    'shard 1: 0 statistics of "large"',
  );
});

test("a pass that fails ends the reduction with its reason", async () => {
  const plan = planOf(TIES_OFFICIAL, 3 * BLOCK * 4 * 3);
  const pass: StatisticPass = async () => {
    throw new Error("the worker has no room");
  };
  await expect(reduce(plan, { pass, passes: { count: 0 } })).rejects.toThrow("the worker has no room");
});
