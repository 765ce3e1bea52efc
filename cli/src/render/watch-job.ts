// Shows a job until it ends: redrawn lines on a terminal, plain lines in a pipe, one JSON object a change for programs.
import type { JobView } from "@amalgam/proto";
import { AmalgamError, isErrorCode } from "@amalgam/runtime";
import type { CommandContext } from "../context.ts";
import { jobChanges } from "./job-json.ts";
import { liveLines, plainLines } from "./job-text.ts";

/**
 * Follows `views` to the end and returns the last one.
 * @throws AmalgamError with the job's problem when it failed or was cancelled
 */
export async function watchJob(
  context: CommandContext,
  views: AsyncIterable<{ readonly job?: JobView | undefined }>,
): Promise<JobView> {
  const redraw = context.live ? (await import("log-update")).default : undefined;
  // A wrapped line would be drawn as two.
  const fit = (line: string): string => [...line].slice(0, (process.stdout.columns ?? 80) - 1).join("");
  let last: JobView | undefined;
  try {
    for await (const { job } of views) {
      if (job === undefined) continue;
      if (context.json) for (const change of jobChanges(last, job)) context.printJson(change);
      else if (redraw !== undefined) redraw(liveLines(job).map(fit).join("\n"));
      else for (const line of plainLines(last, job)) context.print(line);
      last = job;
    }
  } finally {
    redraw?.done();
  }
  context.signal.throwIfAborted();
  if (last === undefined) throw new AmalgamError("unavailable", "the coordinator ended the watch before the job ended");
  if (last.state === "failed")
    throw new AmalgamError(isErrorCode(last.problemCode) ? last.problemCode : "failed_precondition", last.problem);
  if (last.state === "cancelled") throw new AmalgamError("cancelled", `job ${last.jobId} was cancelled`);
  if (last.state !== "done")
    throw new AmalgamError(
      "unavailable",
      `lost sight of job ${last.jobId} (${last.state}); \`amalgam watch ${last.jobId}\` goes on`,
    );
  return last;
}
