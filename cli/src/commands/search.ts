// `amalgam search`
import type { CommandContext } from "../context.ts";
import { type RunJobOptions, runJob } from "./run-job.ts";

export const run = (context: CommandContext, recipe: string, out: string, options: RunJobOptions): Promise<void> =>
  runJob(context, "search", recipe, out, options);
