// `amalgam watch`
import type { CommandContext } from "../context.ts";
import { scoreTable } from "../render/job-text.ts";
import { watchJob } from "../render/watch-job.ts";
import { withCoordinator } from "../roles/connect.ts";

export async function run(
  context: CommandContext,
  jobId: string,
  options: { readonly coordinator: string },
): Promise<void> {
  await withCoordinator(options.coordinator, async (client) => {
    const job = await watchJob(context, client.watchJob({ jobId }, { signal: context.signal }));
    if (!context.json) for (const line of scoreTable(job)) context.print(line);
  });
}
