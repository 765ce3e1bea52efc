// For tests: merges a whole job by leases, as a coordinator would, statistics across shards included; and the same merge in
// one call of the kernels, to compare with.
import { createHash } from "node:crypto";
import {
  advanceStage,
  buildGraph,
  buildProgram,
  type DTypeName,
  decodePartial,
  encodeState,
  type GraphSpec,
  graphText,
  mergePartials,
  mergeTensors,
  type Scalars,
  type StageState,
  startStage,
} from "@amalgam/kernels";
import { type GivenInputSchema, ShardService } from "@amalgam/proto";
import { createLocalClient } from "@amalgam/runtime";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ShardWorker } from "../worker.ts";
import type { LeaseInit, TestCoordinator } from "./coordinator.ts";
import type { TestJob, TestTensor } from "./job.ts";

export interface TestMerge extends GraphSpec {
  readonly id?: string;
  /** Slots of the inputs; by default the first ones. */
  readonly slots?: number[];
  /** Values of the numeric parameters, the same for every tensor. */
  readonly scalars: Scalars;
  /** Values of given inputs, for every shard. */
  readonly given?: MessageInitShape<typeof GivenInputSchema>[];
}

type Values = { statistic: number; tensor: string; values: number[] };

const slotsOf = (merge: TestMerge): number[] => merge.slots ?? buildGraph(merge).inputs.map((_, slot) => slot);

const graphDigest = ({ method, models, hasBase, options, masks }: TestMerge): string => {
  const spec = { method, models, hasBase, options, ...(masks === undefined ? {} : { masks }) };
  return createHash("sha256")
    .update(graphText(buildGraph(spec)))
    .digest("hex");
};

/** The part of a lease that says what to compute on a shard. */
export function leaseOn(job: TestJob, shard: number, merge: TestMerge, statistics: Values[] = []): LeaseInit {
  const { method, hasBase, models, scalars, given = [], id = "candidate" } = merge;
  const row = { values: buildGraph(merge).parameters.map((name) => scalars[name]!) };
  const options = Object.fromEntries(
    Object.entries(merge.options).map(([name, value]) => [name, JSON.stringify(value)]),
  );
  const variant = {
    groups: [{ method, hasBase, models, slots: slotsOf(merge), options, graphSha256: graphDigest(merge) }],
  };
  return {
    shard: job.shards[shard]!,
    candidate: { id, variant, scalars: job.shards[shard]!.segments!.map(() => row), statistics, given },
  };
}

const mergeTask = { task: { case: "merge" as const, value: {} } };

/** The report of a lease, which must be of that kind. */
export async function expectReport<C extends string>(report: Promise<{ case: unknown; value?: unknown }>, kind: C) {
  const { case: found, value } = await report;
  if (found !== kind) throw new Error(`expected ${kind}, got ${String(found)}: ${JSON.stringify(value, bigintText)}`);
  return value as Extract<Awaited<ReturnType<TestCoordinator["lease"]>>, { case: C }>["value"];
}
const bigintText = (_: string, value: unknown): unknown => (typeof value === "bigint" ? String(value) : value);

/** Leases every shard and fetches what the worker holds: the merged bytes of each tensor. */
export async function mergeByLeases(
  coordinator: TestCoordinator,
  worker: ShardWorker,
  job: TestJob,
  merge: TestMerge,
  lease: Pick<LeaseInit, "keepInputs" | "backend"> = {},
): Promise<Map<string, Uint8Array>> {
  const statistics = await reduceStatistics(coordinator, job, merge, lease);
  const tensors = new Map<string, Uint8Array>();
  await Promise.all(
    job.shards.map(async ({ segments }, shard) => {
      const report = coordinator.lease({
        ...leaseOn(job, shard, merge, statistics),
        ...mergeTask,
        ...lease,
      });
      const { sha256 } = await expectReport(report, "mergeDone");
      let bytes = await fetchShard(worker, shard, sha256);
      for (const { tensor, firstElement, elements, shape, outputDtype } of segments!) {
        const size = { F32: 4, BF16: 2, I64: 8 }[outputDtype!]!;
        const total = shape!.reduce((a, b) => a * b, 1n);
        if (!tensors.has(tensor!)) tensors.set(tensor!, new Uint8Array(Number(total) * size));
        const length = Number(elements) * size;
        tensors.get(tensor!)!.set(bytes.subarray(0, length), Number(firstElement) * size);
        bytes = bytes.subarray(length);
      }
    }),
  );
  return tensors;
}

export async function fetchShard(worker: ShardWorker, shard: number, sha256: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const client = createLocalClient(ShardService, worker.shardService);
  for await (const { data } of client.fetchShard({ jobId: "job", shard, sha256 })) chunks.push(data);
  return Buffer.concat(chunks);
}

/** Finds all statistics that no single shard can: those of the model, and of tensors that are cut. */
async function reduceStatistics(
  coordinator: TestCoordinator,
  job: TestJob,
  merge: TestMerge,
  lease: Pick<LeaseInit, "keepInputs" | "backend">,
): Promise<Values[]> {
  const graph = buildGraph(merge);
  const found: Values[] = [];
  const merged = job.shards.flatMap(({ segments }) => segments!).filter(({ copySlot }) => copySlot === undefined);
  for (const [statistic, { scope, outputs }] of graph.stages.entries()) {
    const scopes = new Map<string, number>();
    for (const { tensor, shape, elements } of merged) {
      const total = Number(shape!.reduce((a, b) => a * b, 1n));
      if (scope === "model") scopes.set("", (scopes.get("") ?? 0) + Number(elements));
      else if (total !== Number(elements)) scopes.set(tensor!, total);
    }
    const results = (tensor: string): Scalars =>
      Object.fromEntries(
        found
          .filter((value) => value.tensor === "" || value.tensor === tensor)
          .flatMap(({ statistic: stage, values }) => graph.stages[stage]!.outputs.map((name, i) => [name, values[i]!])),
      );
    const states = new Map<string, StageState>();
    for (const [tensor, elements] of scopes) {
      states.set(tensor, startStage(graph, statistic, { ...merge.scalars, ...results(tensor) }, elements));
    }
    for (let round = 0; [...states.values()].some(({ status }) => status !== "done"); round++) {
      const open = [...states].filter(([, { status }]) => status !== "done");
      const value = { statistic, round, states: open.map(([tensor, state]) => ({ tensor, data: encodeState(state) })) };
      const reports = await Promise.all(
        job.shards.map((_, shard) => {
          const what = leaseOn(job, shard, merge, found);
          return expectReport(
            coordinator.lease({ ...what, task: { case: "statistic", value }, ...lease }),
            "statisticDone",
          );
        }),
      );
      for (const [tensor, state] of open) {
        const partials = reports.flatMap(({ partials }) => partials.filter((partial) => partial.tensor === tensor));
        const partial = partials.map(({ data }) => decodePartial(data)).reduce(mergePartials);
        states.set(tensor, advanceStage(graph, statistic, state, partial));
      }
    }
    for (const [tensor, state] of states) {
      if (state.status === "done")
        found.push({ statistic, tensor, values: outputs.map((name) => state.values[name]!) });
    }
  }
  return found;
}

/** The same merge by the kernels alone, on whole tensors. Integer tensors are those of slot 0. */
export function mergeAtOnce(slots: readonly (readonly TestTensor[])[], merge: TestMerge): Map<string, Uint8Array> {
  const merged = slots[0]!.filter(({ dtype }) => !dtype.startsWith("I"));
  const sources = merged.map(({ name }) => slots.map((tensors) => tensors.find((tensor) => tensor.name === name)!));
  const program = buildProgram({
    method: merge.method,
    models: merge.models,
    hasBase: merge.hasBase,
    options: merge.options,
    inputDtypes: sources[0]!.map(({ dtype }) => dtype as DTypeName),
    outputDtype: merged[0]!.dtype as DTypeName,
  });
  const results = mergeTensors(
    program,
    sources.map((inputs) => ({
      inputs: inputs.map(({ bytes }) => bytes),
      elements: inputs[0]!.shape.reduce((a, b) => a * b, 1),
      rowElements: inputs[0]!.shape.at(-1) ?? 1,
      scalars: merge.scalars,
    })),
  );
  const copied = slots[0]!.filter(({ dtype }) => dtype.startsWith("I"));
  return new Map([
    ...merged.map(({ name }, i) => [name, results[i]!.bytes] as const),
    ...copied.map(({ name, bytes }) => [name, bytes] as const),
  ]);
}
