// `amalgam watch`
import { type CommandContext, stoppable } from "../context.ts";
import { withCoordinator } from "../roles/connect.ts";
import { followJob } from "./follow-job.ts";

export function run(context: CommandContext, jobId: string, options: { readonly coordinator: string }): Promise<void> {
  return stoppable(context, "stopped watching; the job goes on", () =>
    withCoordinator(options.coordinator, (client) => followJob(context, client, jobId)),
  );
}
