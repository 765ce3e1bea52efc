// What an evaluator keeps of the jobs it works on: their specification, fetched once from the coordinator, and a scorer.
import { type CoordinatorService, EvaluationSpecSchema, type ShardLayout } from "@amalgam/proto";
import type { ClientPool } from "@amalgam/runtime";
import { fromBinary } from "@bufbuild/protobuf";
import { createScorer, type Scorer } from "./scorer.ts";
import { parseTasks } from "./task.ts";

export interface JobScorer {
  readonly scorer: Scorer;
  readonly layouts: ReadonlyMap<number, ShardLayout>;
}

export interface JobScorers extends AsyncDisposable {
  /** @throws EvaluatorError when the job's model or tasks cannot be evaluated; AmalgamError when the coordinator is away */
  get(jobId: string, coordinatorAddress: string, signal: AbortSignal): Promise<JobScorer>;
}

/** Jobs kept at a time; evaluations of one job come one after another, so more would only hold memory. */
const MAX_JOBS = 2;

export function createJobScorers(
  coordinators: ClientPool<typeof CoordinatorService>,
  options: { readonly threads: number },
): JobScorers {
  const jobs = new Map<string, Promise<JobScorer>>();

  const open = async (jobId: string, address: string, signal: AbortSignal): Promise<JobScorer> => {
    const chunks: Uint8Array[] = [];
    for await (const { data } of coordinators.get(address).getEvaluationSpec({ jobId }, { signal })) chunks.push(data);
    const spec = fromBinary(EvaluationSpecSchema, Buffer.concat(chunks));
    const tasks = parseTasks(
      spec.tasks.map(({ name, yaml, files }) => ({ path: name, yaml, files: new Map(Object.entries(files)) })),
    );
    const tokenizer = {
      tokenizerJson: spec.tokenizerJson,
      ...(spec.tokenizerConfigJson === "" ? {} : { tokenizerConfig: spec.tokenizerConfigJson }),
    };
    const scorer = await createScorer({
      config: JSON.parse(spec.configJson),
      tokenizer,
      tasks,
      threads: options.threads,
    });
    return { scorer, layouts: new Map(spec.shards.map((layout) => [layout.shard, layout])) };
  };

  const close = async (jobId: string): Promise<void> => {
    const job = jobs.get(jobId);
    jobs.delete(jobId);
    await (await job?.catch(() => undefined))?.scorer[Symbol.asyncDispose]();
  };

  return {
    async get(jobId, address, signal) {
      const known = jobs.get(jobId);
      if (known !== undefined) return known;
      const job = open(jobId, address, signal);
      jobs.set(jobId, job);
      // A failure is not remembered: the coordinator may be back the next time.
      job.catch(() => jobs.delete(jobId));
      for (const oldest of [...jobs.keys()].slice(0, Math.max(0, jobs.size - MAX_JOBS))) void close(oldest);
      return job;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...jobs.keys()].map(close));
    },
  };
}
