// `amalgam submit`: hands a recipe to a coordinator. Relative paths of the recipe start from its folder, as seen from there.
import { resolve } from "node:path";
import { needsStages, parseStages, requireJobKind } from "@amalgam/coordinator";
import { type CommandContext, stoppable } from "../context.ts";
import { withCoordinator } from "../roles/connect.ts";
import { type RecipeFlags, readRecipe } from "./check-recipe.ts";
import { followJob } from "./follow-job.ts";

export interface SubmitOptions extends RecipeFlags {
  readonly kind: "merge" | "search";
  readonly overwrite?: boolean;
  readonly shardBytes?: number;
  readonly digestInputs?: boolean;
  readonly backend: string;
  readonly watch?: boolean;
  readonly coordinator: string;
}

export async function run(context: CommandContext, path: string, out: string, options: SubmitOptions): Promise<void> {
  const { text, name, baseDirectory } = await readRecipe(path, options);
  const [stage, ...more] = parseStages(text, { fileName: name });
  if (stage === undefined || more.length > 0) throw needsStages(name);
  requireJobKind(stage.recipe, options.kind, name);
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
      digestInputs: options.digestInputs === true,
      backend: options.backend,
    };
    const { jobId, resumed } = await client.submitJob(request, { signal });
    if (context.json) context.printJson({ jobId, resumed });
    else context.print(`job ${jobId}${resumed ? " goes on" : ""}; \`amalgam watch ${jobId}\` shows its progress`);
    if (options.watch !== true) return;
    await stoppable(context, "stopped watching; the job goes on", () => followJob(context, client, jobId));
  });
}
