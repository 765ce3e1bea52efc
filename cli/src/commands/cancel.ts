// `amalgam cancel`
import { AmalgamError } from "@amalgam/runtime";
import type { CommandContext } from "../context.ts";
import { withCoordinator } from "../roles/connect.ts";

export async function run(
  context: CommandContext,
  jobId: string,
  options: { readonly coordinator: string },
): Promise<void> {
  await withCoordinator(options.coordinator, async (client) => {
    const { job } = await client.cancelJob({ jobId }, { signal: context.signal });
    if (job?.state !== "cancelled") {
      throw new AmalgamError(
        "failed_precondition",
        `job ${jobId} had ended before (${job?.state}); nothing was cancelled`,
      );
    }
    if (context.json) context.printJson({ jobId, state: job.state });
    else context.print(`job ${jobId} is cancelled; submitting it again goes on where it stopped`);
  });
}
