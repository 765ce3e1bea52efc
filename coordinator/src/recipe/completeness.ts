/** What a merge needs and its recipe does not give: number of models, a base, required parameters; of each of its parts. */
import type { MergeMethod } from "@amalgam/kernels";
import { givenAt, partsOf, partTitle } from "./parts.ts";
import type { Reader } from "./reader.ts";
import type { MergeSettings, Part, PartSource } from "./types.ts";

/** Where the recipe's text writes what a merge is made of. */
export interface MergeLines {
  /** Line of the method's name. */
  readonly method: number;
  of(written: PartSource["written"]): number | undefined;
}

/** Notes what is missing. `searched` are parameters that the search gives values to. */
export function checkCompleteness(
  reader: Reader,
  method: MergeMethod,
  merge: MergeSettings,
  base: string | undefined,
  searched: ReadonlySet<string>,
  lines: MergeLines,
): void {
  const parts = partsOf(merge, base);
  const bases = merge.modules?.flatMap(({ slices }) => slices.map((slice) => slice.base ?? base)) ?? [base];
  if (method.base === "required" && bases.includes(undefined)) {
    reader.fail(
      lines.method,
      `method \`${method.name}\` needs \`base_model\`: the checkpoint that the models were tuned from`,
    );
  }
  parts.forEach((part, index) => {
    const at = part.slice === undefined ? lines.method : firstLine(part, lines);
    checkBase(reader, method, part, bases[index], at);
    checkCount(reader, method, part, at);
    checkModelParameters(reader, method, part, searched, (written) => lines.of(written) ?? at);
  });
  checkGlobalParameters(reader, method, parts, searched, lines);
}

const firstLine = ({ sources }: Part, lines: MergeLines): number =>
  sources.map(({ written }) => lines.of(written)).find((line) => line !== undefined) ?? lines.method;

/** A slice's base is one of its sources, because its layers must be said. */
function checkBase(reader: Reader, method: MergeMethod, part: Part, base: string | undefined, line: number): void {
  if (method.base === "none" || base === undefined || part.base !== undefined) return;
  reader.fail(
    line,
    `${partTitle(part)}: the base \`${base}\` is not among its sources: add it with its \`layer_range\``,
  );
}

function checkCount(reader: Reader, method: MergeMethod, part: Part, line: number): void {
  const { minModels, maxModels = Number.POSITIVE_INFINITY } = method;
  const count = part.sources.length;
  if (count >= minModels && count <= maxModels) return;
  const wanted =
    minModels === maxModels
      ? `exactly ${minModels}`
      : count < minModels
        ? `at least ${minModels}`
        : `at most ${maxModels}`;
  const apart = method.base === "none" ? "" : " besides the base";
  const title = partTitle(part);
  const models = `model${wanted.endsWith(" 1") ? "" : "s"}`;
  const where = title === "" ? "" : `${title}: `;
  reader.fail(line, `${where}method \`${method.name}\` merges ${wanted} ${models}${apart}, not ${count}`);
}

function checkModelParameters(
  reader: Reader,
  method: MergeMethod,
  { sources, levels }: Part,
  searched: ReadonlySet<string>,
  lineOf: (written: PartSource["written"]) => number,
): void {
  for (const name of requiredParameters(method, "model")) {
    if (searched.has(name) || givenAt(name, levels) !== undefined) continue;
    for (const { model, parameters, written } of sources) {
      if (Object.hasOwn(parameters, name)) continue;
      reader.fail(
        lineOf(written),
        `model \`${model.name}\` needs the parameter \`${name}\` (method \`${method.name}\`)`,
      );
    }
  }
}

function checkGlobalParameters(
  reader: Reader,
  method: MergeMethod,
  parts: readonly Part[],
  searched: ReadonlySet<string>,
  lines: MergeLines,
): void {
  for (const name of requiredParameters(method, "global")) {
    const lacking = parts.filter(({ levels }) => givenAt(name, levels) === undefined);
    // Under a model it was refused already.
    const refused = parts.some(({ sources }) => sources.some(({ parameters }) => Object.hasOwn(parameters, name)));
    if (searched.has(name) || lacking.length === 0 || refused) continue;
    if (lacking.length === parts.length) {
      reader.fail(
        lines.method,
        `method \`${method.name}\` needs the parameter \`${name}\`: give it under \`parameters\``,
      );
      continue;
    }
    for (const part of lacking) {
      reader.fail(
        firstLine(part, lines),
        `${partTitle(part)} needs the parameter \`${name}\` (method \`${method.name}\`): give it under its \`parameters\`, or for all under the recipe's`,
      );
    }
  }
}

function requiredParameters(method: MergeMethod, scope: "model" | "global"): string[] {
  return Object.entries(method.parameters)
    .filter(
      ([, parameter]) =>
        parameter.kind === "number" &&
        parameter.default === undefined &&
        parameter.ignored === undefined &&
        parameter.scope === scope,
    )
    .map(([name]) => name);
}
