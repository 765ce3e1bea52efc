// `amalgam submit`: hands a recipe to a coordinator. Relative paths of the recipe start from its folder, as seen from there.
import { resolve } from "node:path";
import { parseRecipe } from "@amalgam/coordinator";
import type { CommandContext } from "../context.ts";
import { scoreTable } from "../render/job-text.ts";
import { watchJob } from "../render/watch-job.ts";
import { withCoordinator } from "../roles/connect.ts";
import { readRecipe } from "./check-recipe.ts";

export interface SubmitOptions {
  readonly kind: string;
  readonly overwrite?: boolean;
  readonly shardBytes?: number;
  readonly watch?: boolean;
  readonly coordinator: string;
}

export async function run(context: CommandContext, path: string, out: string, options: SubmitOptions): Promise<void> {
  const { text, name, baseDirectory } = await readRecipe(path);
  parseRecipe(text, { fileName: name });
  const { signal } = context;
  await withCoordinator(options.coordinator, async (client) => {
    const request = {
      kind: options.kind,
      recipe: text,
      recipeName: name,
      baseDirectory,
      outputDirectory: resolve(out),
      overwrite: options.overwrite === true,
      shardBytes: BigInt(options.shardBytes ?? 0),
    };
    const { jobId, resumed } = await client.submitJob(request, { signal });
    if (context.json) context.printJson({ jobId, resumed });
    else context.print(`job ${jobId}${resumed ? " goes on" : ""}; \`amalgam watch ${jobId}\` shows its progress`);
    if (options.watch !== true) return;
    const job = await watchJob(context, client.watchJob({ jobId }, { signal }));
    if (!context.json) for (const line of scoreTable(job)) context.print(line);
  });
}
