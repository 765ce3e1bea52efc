// `amalgam status`: all jobs of a coordinator in a table, or one in full.
import type { JobView } from "@amalgam/proto";
import type { CommandContext } from "../context.ts";
import { jobJson } from "../render/job-json.ts";
import { bestSoFar, liveLines, scoreTable } from "../render/job-text.ts";
import { formatTable } from "../render/table.ts";
import { withCoordinator } from "../roles/connect.ts";

export async function run(
  context: CommandContext,
  jobId: string | undefined,
  options: { readonly coordinator: string },
): Promise<void> {
  const { signal } = context;
  await withCoordinator(options.coordinator, async (client) => {
    if (jobId !== undefined) {
      const { job } = await client.getJob({ jobId }, { signal });
      if (context.json) return context.printJson(jobJson(job!));
      context.print(`job ${jobId}: ${job!.state}${job!.problem === "" ? "" : `: ${job!.problem}`}`);
      for (const line of [...liveLines(job!), ...scoreTable(job!)]) context.print(line);
      return;
    }
    const { jobs } = await client.listJobs({}, { signal });
    if (context.json) return context.printJson({ jobs: jobs.map(jobJson) });
    if (jobs.length === 0) return context.print("no jobs yet; `amalgam submit` hands one in");
    for (const line of formatTable(
      ["job", "kind", "state", "progress", "best", "output", "waiting for"],
      jobs.map(row),
    ))
      context.print(line);
  });
}

function row(job: JobView): string[] {
  const trials = job.candidates.filter(({ role, state }) => role === "trial" && state === "scored").length;
  const progress =
    job.kind === "search" ? `${trials}/${job.trialsPlanned} trials` : `${job.shardsWritten}/${job.shards} shards`;
  return [job.jobId, job.kind, job.state, progress, bestSoFar(job) ?? "", job.outputDirectory, job.waitingFor];
}
