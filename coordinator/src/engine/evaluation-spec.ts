// What evaluators must know of a job besides the weights: the same for all of its candidates.
import { createHash } from "node:crypto";
import { collectSideFiles, readSideFile } from "@amalgam/checkpoint";
import { EvaluationSpecSchema, type FisherSpecSchema } from "@amalgam/proto";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { evaluationLayout, type Plan, type PlanInputs, type SlotHeader } from "../plan/index.ts";
import { outputTexts } from "./output-config.ts";

/** The encoded EvaluationSpec and its sha256 (hex). */
export interface EncodedSpec {
  readonly bytes: Uint8Array;
  readonly sha256: string;
}

/** The largest `tokenizer.json` on the Hub has about 35 MB. */
const MAX_TEXT_BYTES = 256 * 2 ** 20;

/** What candidates are evaluated on, and with. */
export interface Evaluated {
  readonly tasks: PlanInputs["tasks"];
  readonly graph: PlanInputs["graph"] | undefined;
}

export async function evaluationSpec(
  plan: Plan,
  headers: readonly SlotHeader[],
  { tasks, graph }: Evaluated,
): Promise<EncodedSpec> {
  const { checkpoint } = headers[plan.donorSlot]!;
  const changed = outputTexts(plan);
  const text = async (name: string): Promise<string> => {
    const made = changed.get(name);
    if (made !== undefined || plan.tokenizer?.removed.includes(name)) return made ?? "";
    if (!checkpoint.sideFiles.includes(name)) return "";
    return new TextDecoder().decode(await readSideFile(checkpoint, name, MAX_TEXT_BYTES));
  };
  const spec = create(EvaluationSpecSchema, {
    configJson: await text("config.json"),
    tokenizerJson: await text("tokenizer.json"),
    tokenizerConfigJson: await text("tokenizer_config.json"),
    preprocessorConfigJson: await text("preprocessor_config.json"),
    tasks: tasks.map(({ path, yaml, files }) => ({ name: path, yaml, files: Object.fromEntries(files) })),
    ...(graph && { graph }),
    shards: evaluationLayout(plan),
    ...(plan.slots.some(({ given }) => given) && { fisher: fisherSpec(plan) }),
    ...(tasks.some(({ kind }) => kind === "command") && { sideFiles: await sideFilesOf(plan, headers) }),
  });
  const bytes = toBinary(EvaluationSpecSchema, spec);
  return { bytes, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** What commands find beside the weights of a candidate: the files that will lie beside the merged model's. */
async function sideFilesOf(plan: Plan, headers: readonly SlotHeader[]): Promise<Record<string, Uint8Array>> {
  const { checkpoint } = headers[plan.donorSlot]!;
  const changed = Object.fromEntries(outputTexts(plan));
  const files = await collectSideFiles(checkpoint, changed, { without: plan.tokenizer?.removed });
  return Object.fromEntries(
    files.map(({ name, bytes }) => [name, typeof bytes === "string" ? Buffer.from(bytes) : bytes]),
  );
}

function fisherSpec({ recipe, tensors }: Plan): MessageInitShape<typeof FisherSpecSchema> {
  const { items, estimator } = recipe.fisher!;
  const weighted = tensors.filter(({ action, sources }) => action === "merge" && sources.some((each) => each?.given));
  return { items, estimator, seed: BigInt(recipe.seed), tensors: weighted.map(({ name }) => name) };
}
