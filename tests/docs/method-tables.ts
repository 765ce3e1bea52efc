// The tables of docs/methods.md, written from the methods' own metadata. `npx node tests/docs/method-tables.ts` puts them in their places;
// the text around them is written by hand.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildGraph, type GraphSpec, METHODS, type MergeMethod, type Parameter, type Stage } from "@amalgam/kernels";

const PAGE = join(import.meta.dirname, "..", "..", "docs", "methods.md");
const code = (text: unknown): string => `\`${text}\``;

const table = (header: readonly string[], rows: readonly (readonly string[])[]): string =>
  [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

function modelsText({ minModels, maxModels }: MergeMethod): string {
  if (maxModels === undefined) return `${minModels} or more`;
  return minModels === maxModels ? `${minModels}` : `${minModels} to ${maxModels}`;
}

function defaultText({ kind, ignored, default: value }: Parameter): string {
  if (ignored !== undefined) return "ignored";
  if (value === undefined) return "required";
  if (kind !== "number" || value === 0 || Number(value) < 1e-6) return code(value);
  return code(value.toLocaleString("en", { maximumFractionDigits: 9 }));
}

function meaningText(parameter: Parameter): string {
  if (parameter.ignored !== undefined) return `Accepted as in mergekit, without effect: ${parameter.ignored}.`;
  const text = [parameter.doc];
  if (parameter.kind === "enum") text.push(`One of ${parameter.choices.map(code).join(", ")}.`);
  if (parameter.kind === "number") {
    const { min, max, constant } = parameter;
    if (min !== undefined && max !== undefined) text.push(`From ${min} to ${max}.`);
    else if (min !== undefined) text.push(`At least ${min}.`);
    else if (max !== undefined) text.push(`At most ${max}.`);
    if (constant) text.push("One value for all tensors.");
  }
  return text.join(" ");
}

const stageText = ({ scope, family, parameters }: Stage): string => {
  const what = family === "select" ? "order statistics" : "sums";
  const searched = [...new Set(parameters.map((name) => code(name.replace(/\[\d+\]$/, ""))))];
  const again = searched.length === 0 ? "" : `, again where a trial changes ${searched.join(", ")}`;
  return `${what} over each ${scope}${again}`.replace("each model", "the model");
};

/** Statistics of a merge with these options; undefined where a method refuses them. */
function statisticsText(method: MergeMethod, options: GraphSpec["options"]): string | undefined {
  const models = Math.min(Math.max(2, method.minModels), method.maxModels ?? Number.POSITIVE_INFINITY);
  try {
    const graph = buildGraph({ method: method.name, models, hasBase: method.base === "required", options });
    const stages = graph.stages.map(stageText);
    if (graph.rowStages.length > 0) stages.push("of each row, without a pass of their own");
    return stages.length === 0 ? "none" : stages.join("; ");
  } catch {
    return undefined;
  }
}

function costText(method: MergeMethod): string {
  const byDefault = statisticsText(method, {}) ?? "";
  const lines = [byDefault];
  for (const [name, parameter] of Object.entries(method.parameters)) {
    if (parameter.kind === "number" || parameter.ignored !== undefined) continue;
    const choices = parameter.kind === "enum" ? parameter.choices : [true, false];
    for (const choice of choices.filter((each) => each !== parameter.default)) {
      const text = statisticsText(method, { [name]: choice });
      if (text !== undefined && text !== byDefault) lines.push(`with ${code(`${name}: ${choice}`)}: ${text}`);
    }
  }
  return lines.join("<br>");
}

const TABLES: Readonly<Record<string, () => string>> = {
  methods: () =>
    table(
      ["method", "result", "source", "base", "models", "companions"],
      Object.values(METHODS).map((method) => {
        const { name, summary, reference, base, companions } = method;
        return [code(name), summary, reference, base, modelsText(method), companions.map(code).join(", ")];
      }),
    ),
  parameters: () =>
    table(
      ["method", "parameter", "scope", "default", "meaning"],
      Object.values(METHODS).flatMap(({ name, parameters }) =>
        Object.entries(parameters).map(([key, parameter]) => {
          const scope = parameter.scope === "model" ? "per model" : "merge";
          return [code(name), code(key), scope, defaultText(parameter), meaningText(parameter)];
        }),
      ),
    ),
  costs: () =>
    table(
      ["method", "statistics before the merge"],
      Object.values(METHODS).map((method) => [code(method.name), costText(method)]),
    ),
};

/** The page as it is, and as it should be. */
export function methodPage(): { readonly written: string; readonly expected: string } {
  const written = readFileSync(PAGE, "utf8");
  const places = /(<!-- table: (\w+) -->)[\s\S]*?(<!-- end -->)/g;
  const expected = written.replace(places, (_, begin: string, name: string, end: string) => {
    return `${begin}\n${TABLES[name]!()}\n${end}`;
  });
  return { written, expected };
}

if (import.meta.main) writeFileSync(PAGE, methodPage().expected);
