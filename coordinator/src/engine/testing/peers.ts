/** A shard worker and an evaluator of few words: they speak the wire and do the least that is true. */
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import {
  type Evaluation,
  EvaluationSchema,
  HelloSchema,
  type Lease,
  LeaseSchema,
  type ScoreReport,
  ScoreReportSchema,
  type WorkRequest,
  WorkRequestSchema,
} from "@amalgam/proto";
import type { Bus } from "@amalgam/runtime";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { Coordinator } from "../coordinator.ts";

export interface CopyingWorker {
  /** Leases it got, in their order. */
  readonly leases: readonly Lease[];
  /** Answers what was kept, and all that follow. */
  release(): void;
  close(): void;
}

export interface CopyingOptions {
  /** A code that a lease is refused with. */
  readonly failure?: (lease: Lease) => string | undefined;
  /** Digests of estimates that a lease's values could not be fetched of. */
  readonly lost?: (lease: Lease) => string[];
  /** Leases that are answered at once; later ones are kept. */
  readonly answers?: number;
  readonly workerId?: string;
  readonly backend?: string;
}

/** Merges by copying the first input: right for jobs of one model. */
export function connectCopyingWorker(coordinator: Coordinator, options: CopyingOptions = {}): CopyingWorker {
  const { failure = () => undefined, lost = () => [], workerId = "copier", backend = "wasm" } = options;
  let left = options.answers ?? Number.POSITIVE_INFINITY;
  const leases: Lease[] = [];
  const kept: Lease[] = [];
  const session = coordinator.connectWorker(
    create(HelloSchema, { workerId, address: `local:${workerId}`, slots: 2, backend }),
    ({ message }) => {
      if (message?.case !== "lease") return;
      const lease = create(LeaseSchema, message.value);
      leases.push(lease);
      if (left-- > 0) setImmediate(answer, lease);
      else kept.push(lease);
    },
    () => undefined,
  );
  const answer = (lease: Lease): void => {
    const code = failure(lease);
    const { leaseId } = lease;
    const gone = lost(lease);
    if (gone.length > 0) {
      const value = { leaseId, code: "unavailable", message: "nobody is there", lost: gone };
      say({ case: "leaseFailed", value });
    } else if (code !== undefined) say({ case: "leaseFailed", value: { leaseId, code, message: `no: ${code}` } });
    else say(copy(lease));
  };
  const say = (message: Message): void =>
    session.receive(create(WorkRequestSchema, { message }).message as WorkRequest["message"]);
  return {
    leases,
    release() {
      left = Number.POSITIVE_INFINITY;
      for (const lease of kept.splice(0)) answer(lease);
    },
    close: () => session.close(),
  };
}

type Message = NonNullable<MessageInitShape<typeof WorkRequestSchema>["message"]>;

function copy({ leaseId, shard, files, task }: Lease): Message {
  const whole = createHash("sha256");
  const segmentSha256: string[] = [];
  let byteLength = 0;
  for (const { inputs, elements, outputFile, outputOffset } of shard!.segments) {
    const bytes = readRange(files[inputs[0]!.file]!.path, Number(inputs[0]!.offset), Number(elements) * 4);
    whole.update(bytes);
    byteLength += bytes.length;
    segmentSha256.push(createHash("sha256").update(bytes).digest("hex"));
    if (task.case === "write") writeRange(task.value.files[outputFile]!, Number(outputOffset), bytes);
  }
  return task.case === "write"
    ? { case: "writeDone", value: { leaseId, segmentSha256 } }
    : {
        case: "mergeDone",
        value: { leaseId, sha256: whole.digest("hex"), byteLength: BigInt(byteLength), segmentSha256 },
      };
}

function readRange(path: string, offset: number, length: number): Uint8Array {
  const file = openSync(path, "r");
  const bytes = new Uint8Array(length);
  readSync(file, bytes, 0, length, offset);
  closeSync(file);
  return bytes;
}

function writeRange(path: string, offset: number, bytes: Uint8Array): void {
  const file = openSync(path, "r+");
  writeSync(file, bytes, 0, bytes.length, offset);
  closeSync(file);
}

type Outcome = NonNullable<MessageInitShape<typeof ScoreReportSchema>["outcome"]>;
export const scoreOutcome = (accuracy: number): Outcome => ({
  case: "score",
  value: { items: 100, metric: "accuracy", score: accuracy, standardError: 0.01, loss: 1 - accuracy },
});

/** Answers every evaluation with an outcome, until `signal` aborts. */
export async function evaluate(
  bus: Bus,
  signal: AbortSignal,
  outcomeOf: (report: ScoreReport, evaluation: Evaluation) => Outcome,
): Promise<void> {
  for await (const delivery of bus.queue("evaluations").pull({ signal })) {
    const evaluation = fromBinary(EvaluationSchema, delivery.data);
    const { jobId, candidateId, task, split, generation, firstPiece } = evaluation;
    const report = create(ScoreReportSchema, { jobId, candidateId, task, split, generation, firstPiece });
    report.outcome = create(ScoreReportSchema, { outcome: outcomeOf(report, evaluation) }).outcome;
    await bus.queue("scores").publish(`${delivery.id}/${report.outcome.case}`, toBinary(ScoreReportSchema, report));
    await delivery.ack();
  }
}
