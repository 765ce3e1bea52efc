// What an evaluator keeps of the jobs it works on: their specification, fetched once from the coordinator, and a scorer.
import { createHash } from "node:crypto";
import type { CoordinatorService, Evaluation, FisherSpec, ShardLayout } from "@amalgam/proto";
import { AmalgamError, type ClientPool } from "@amalgam/runtime";
import { createScorer, type Scorer } from "../scorer.ts";
import { readEvaluationSpec } from "./evaluation-spec.ts";

export interface JobScorer {
  readonly scorer: Scorer;
  readonly layouts: ReadonlyMap<number, ShardLayout>;
  /** How importance is estimated, in jobs that ask for it. */
  readonly fisher: FisherSpec | undefined;
}

export interface JobScorers extends AsyncDisposable {
  /**
   * The scorer for the specification that an evaluation names.
   * @throws EvaluatorError when the job's model or tasks cannot be evaluated; AmalgamError unavailable when the coordinator is
   *   away or has another specification by now
   */
  get(
    evaluation: Pick<Evaluation, "jobId" | "specSha256" | "coordinatorAddress">,
    signal: AbortSignal,
  ): Promise<JobScorer>;
  /** Bytes of the weights that the scorers hold. */
  readonly heldBytes: number;
}

/** Jobs kept at a time; evaluations of one job come one after another, so more would only hold memory. */
const MAX_JOBS = 2;

export function createJobScorers(
  coordinators: ClientPool<typeof CoordinatorService>,
  options: { readonly threads: number; readonly provider: string; readonly allowCommands: boolean },
): JobScorers {
  const jobs = new Map<string, Promise<JobScorer>>();
  const opened = new Set<Scorer>();

  const open: JobScorers["get"] = async ({ jobId, specSha256, coordinatorAddress }, signal) => {
    const chunks: Uint8Array[] = [];
    const coordinator = coordinators.get(coordinatorAddress);
    for await (const { data } of coordinator.getEvaluationSpec({ jobId }, { signal })) chunks.push(data);
    const bytes = Buffer.concat(chunks);
    if (createHash("sha256").update(bytes).digest("hex") !== specSha256) {
      throw new AmalgamError(
        "unavailable",
        `the coordinator has other tasks for job ${jobId} than the evaluation names`,
      );
    }
    const { subject, sideFiles, layouts, fisher } = readEvaluationSpec(bytes);
    const scorer = await createScorer({ ...subject, sideFiles, ...options });
    opened.add(scorer);
    return { scorer, layouts, fisher };
  };

  const close = async (key: string): Promise<void> => {
    const job = jobs.get(key);
    jobs.delete(key);
    const { scorer } = (await job?.catch(() => undefined)) ?? {};
    if (scorer === undefined) return;
    await scorer[Symbol.asyncDispose]();
    opened.delete(scorer);
  };

  return {
    get heldBytes() {
      return opened.values().reduce((sum, { heldBytes }) => sum + heldBytes, 0);
    },
    async get(evaluation, signal) {
      const key = `${evaluation.jobId}/${evaluation.specSha256}`;
      const known = jobs.get(key);
      if (known !== undefined) return known;
      const job = open(evaluation, signal);
      jobs.set(key, job);
      // A failure is not remembered: the coordinator may be back the next time.
      job.catch(() => jobs.delete(key));
      for (const oldest of [...jobs.keys()].slice(0, Math.max(0, jobs.size - MAX_JOBS))) void close(oldest);
      return job;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...jobs.keys()].map(close));
    },
  };
}
