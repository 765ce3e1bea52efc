// A lease's messages in the worker's own terms: what it asks for, and the answer to it.
import { WASM } from "@amalgam/devices/executor";
import type { Lease, WorkRequestSchema } from "@amalgam/proto";
import { AmalgamError, CHUNK_BYTES, type HeldShards, MAX_RECEIVE_BYTES } from "@amalgam/runtime";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { givenText } from "./given-inputs.ts";
import { requireSameMethod } from "./same-method.ts";
import type { ShardResult, ShardTask, StatisticState, VariantTask } from "./thread-protocol.ts";

/** What the coordinator gets to hear of a lease: its result or its failure. */
export type LeaseReport = NonNullable<MessageInitShape<typeof WorkRequestSchema>["message"]>;

/** @throws AmalgamError internal when the lease lacks a part, failed_precondition when its method is another one here */
export function variantOf(lease: Lease): VariantTask {
  const variant = lease.candidate?.variant;
  if (variant === undefined || lease.shard === undefined || lease.task.case === undefined) {
    throw new AmalgamError(
      "internal",
      "the lease is incomplete: it needs a shard, a candidate with its variant, and a task",
    );
  }
  const groups = variant.groups.map(({ method, hasBase, models, slots, options, masks, working, graphSha256 }) => {
    const group = { method, hasBase, models, slots, options, working, ...(masks === undefined ? {} : { masks }) };
    requireSameMethod(group, graphSha256);
    return group;
  });
  return { backend: lease.backend || WASM, groups };
}

/** Slots that some segment of the shard is made of. */
export function neededSlots({ shard }: Lease, { groups }: VariantTask): Set<number> {
  const { segments } = shard!;
  const merging = new Set(segments.filter(({ copySlot }) => copySlot === undefined).map(({ group }) => group));
  const needed = new Set([...merging].flatMap((group) => groups[group]?.slots ?? []));
  for (const { copySlot } of segments) if (copySlot !== undefined) needed.add(copySlot);
  return needed;
}

/** @param place leave the merged bytes in the shard's memory, to be written from there */
export function shardTask(lease: Lease, variant: VariantTask, place: boolean): ShardTask {
  const candidate = lease.candidate!;
  const common = {
    variant,
    given: candidate.given.map(givenText).join(),
    scalars: candidate.scalars.map(({ values }) => values),
    statistics: candidate.statistics.map(({ group, statistic, tensor, values }) => {
      return { group, statistic, tensor, values };
    }),
  };
  if (lease.task.case !== "statistic") {
    // Digests of segments are for the manifest: a candidate that is only evaluated needs none.
    return { kind: "merge", ...common, place, digestSegments: lease.task.case === "write" };
  }
  const { group, statistic, states } = lease.task.value;
  return {
    kind: "statistic",
    ...common,
    group,
    statistic,
    states: states.map(({ tensor, data }) => ({ tensor, data })),
  };
}

/** A message that is too long would end the session, and again when the lease is repeated. */
function assertSendable(partials: readonly StatisticState[]): void {
  const bytes = partials.reduce((sum, { data }) => sum + data.byteLength, 0);
  if (bytes <= MAX_RECEIVE_BYTES - CHUNK_BYTES) return;
  throw new AmalgamError(
    "internal",
    `the statistics of ${partials.length} tensors take ${bytes} bytes, too many for one message; lease fewer tensors at once`,
  );
}

/** The message for a result. A merged shard that was not written is held from now on. */
export async function report(
  lease: Lease,
  result: ShardResult,
  written: boolean,
  held: HeldShards,
): Promise<LeaseReport> {
  const { leaseId, jobId, shard, candidate } = lease;
  if (written && result.kind !== "partials") {
    return { case: "writeDone", value: { leaseId, segmentSha256: [...result.segmentSha256] } };
  }
  switch (result.kind) {
    case "partials":
      assertSendable(result.partials);
      return { case: "statisticDone", value: { leaseId, partials: [...result.partials] } };
    case "placed":
      throw new AmalgamError("internal", "a shard was merged in its place, and not written from there");
    case "held": {
      const { bytes, sha256, segmentSha256 } = result;
      await held.hold({ jobId, shard: shard!.index, candidateId: candidate!.id, sha256 }, bytes);
      const byteLength = BigInt(bytes.byteLength);
      return { case: "mergeDone", value: { leaseId, sha256, byteLength, segmentSha256: [...segmentSha256] } };
    }
    default:
      return result satisfies never;
  }
}
