// Watches a job of a coordinator somewhere else to its end, and says how it ended.
import type { CoordinatorService } from "@amalgam/proto";
import type { Client } from "@amalgam/runtime";
import type { CommandContext } from "../context.ts";
import { jobJson } from "../render/job-json.ts";
import { scoreTable } from "../render/job-text.ts";
import { formatBytes } from "../render/units.ts";
import { watchJob } from "../render/watch-job.ts";

export async function followJob(
  context: CommandContext,
  client: Client<typeof CoordinatorService>,
  jobId: string,
): Promise<void> {
  const job = await watchJob(context, client.watchJob({ jobId }, { signal: context.signal }));
  if (context.json) return context.printJson({ done: jobJson(job) });
  const table = scoreTable(job);
  if (table.length > 0) for (const line of ["", ...table, ""]) context.print(line);
  context.print(`wrote ${job.outputDirectory}: ${formatBytes(Number(job.outputBytes))} of weights`);
}
