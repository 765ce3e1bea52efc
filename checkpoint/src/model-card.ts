// README.md of a published model: front matter as the Hugging Face Hub reads it (https://huggingface.co/docs/hub/model-cards),
// the recipe and the scores. Deterministic, and every piece of text from outside is quoted or fenced.

export interface Score {
  readonly value: number;
  /** Standard error of the value. */
  readonly standardError?: number;
}

/** Scores of several models on several tasks, as fractions or whatever unit the metric has. */
export interface ScoreTable {
  readonly metric: string;
  readonly tasks: readonly string[];
  /** One row a model, one score a task; undefined where it was not measured. */
  readonly rows: readonly { readonly model: string; readonly scores: readonly (Score | undefined)[] }[];
}

export interface ModelCard {
  readonly title: string;
  /** Models that were merged, base first. Those that look like Hub ids (`owner/name[@revision]`) go into the front matter. */
  readonly models: readonly string[];
  /** Method, as a person reads it. */
  readonly method: string;
  readonly recipe: string;
  readonly scores?: ScoreTable;
  /** It is an artefact, which no library loads. */
  readonly artefact?: boolean;
}

const artefactUse = [
  "This is no model but what the models of several tasks share, with a mask for each (`artefact.json` names the tasks). The model of one task is made by",
  "",
  "    amalgam materialize <this directory> --task <name> --base <the base model> -o <directory>",
];

export function modelCard(card: ModelCard): string {
  const hubIds = card.models.flatMap((model) => hubId(model) ?? []);
  const baseModel = hubIds.length === 0 ? [] : ["base_model:", ...hubIds.map((id) => `- ${JSON.stringify(id)}`)];
  const library = card.artefact === true ? [] : ["library_name: transformers"];
  const front = ["---", ...baseModel, ...library, "tags:", "- merge", "- amalgam", "---"];
  const models = card.models.map((model) => `* ${codeSpan(model)}`);
  const lines = [
    ...front,
    `# ${oneLine(card.title)}`,
    "",
    `A merge of these models, made with Amalgam (${oneLine(card.method)}):`,
    "",
    ...models,
    ...(card.artefact === true ? ["", ...artefactUse] : []),
    ...(card.scores === undefined ? [] : ["", "## Scores", "", ...scoreLines(card.scores)]),
    "",
    "## Recipe",
    "",
    ...fenced(card.recipe),
    "",
    "`amalgam.json` has the digests of the inputs and of every tensor and file here.",
  ];
  return `${lines.join("\n")}\n`;
}

/** Without its revision, which front matter has no place for. */
const hubId = (model: string): string | undefined =>
  /^(?:hf:\/\/)?([A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*)(?:@[^/]*)?$/.exec(model)?.[1];

function scoreLines({ metric, tasks, rows }: ScoreTable): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    line([oneLine(metric), ...tasks.map(oneLine)].map(escapeCell)),
    line(["---", ...tasks.map(() => "---:")]),
    ...rows.map(({ model, scores }) =>
      line([escapeCell(oneLine(model)), ...tasks.map((_, task) => cell(scores[task]))]),
    ),
  ];
}

function cell(score: Score | undefined): string {
  if (score === undefined) return "";
  const value = score.value.toFixed(4);
  return score.standardError === undefined ? value : `${value} ± ${score.standardError.toFixed(4)}`;
}

function escapeCell(text: string): string {
  return text.replaceAll("|", "\\|");
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

function codeSpan(text: string): string {
  const fence = "`".repeat(longestRun(text) + 1);
  return `${fence}${text.includes("`") ? ` ${oneLine(text)} ` : oneLine(text)}${fence}`;
}

function fenced(text: string): string[] {
  const fence = "`".repeat(Math.max(3, longestRun(text) + 1));
  return [`${fence}yaml`, text.trimEnd(), fence];
}

function longestRun(text: string): number {
  return Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length));
}
