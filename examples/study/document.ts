// The tables of docs/results.md, between its `<!-- table NAME -->` and `<!-- end -->` lines, and the pictures beside it.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { standaloneSvg } from "../../coordinator/src/report/charts/svg.ts";
import { dfMerge, rivals, shares, variants } from "./entries.ts";
import { familyNames, familyOf, repository } from "./families.ts";
import { methodsChart, trialsChart } from "./plots.ts";
import type { Measured } from "./results.ts";
import { bestSoFar, type Estimate, type Group, groupsOf, lead, leadByItems, meanOf } from "./statistics.ts";

const DOCUMENT = "docs/results.md";

type Table = readonly (readonly string[])[];

const percent = (value: number): string => (100 * value).toFixed(1);
const withError = ({ value, standardError }: Estimate): string =>
  Number.isNaN(standardError) ? percent(value) : `${percent(value)} ± ${percent(standardError)}`;
const points = (estimate: Estimate): string =>
  `${estimate.value < 0 ? "" : "+"}${withError(estimate)}`.replace("-", "−");

const asMarkdown = ([head, ...body]: Table): string =>
  [head!, head!.map((_, index) => (index === 0 ? "---" : "---:")), ...body]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");

/** The base, the experts, the fixed methods and the searches of a family. */
function mainTable(rows: readonly Measured[], family: string): Table {
  const { tasks } = familyOf(family, 0);
  const entries = ["base", ...tasks, ...rivals.map(({ name }) => name), dfMerge.name];
  const groups = groupsOf(rows, family, entries);
  const own = groups.find(({ entry }) => entry === dfMerge.name);
  return [
    ["test accuracy, %", ...tasks, "mean", "DF-Merge is ahead by, over seeds", "over items", "validation"],
    ...groups.map((group) => [
      tasks.includes(group.entry) ? `expert \`${group.entry}\`` : group.entry,
      ...tasks.map((task) => percent(meanOf(group.rows.map(({ scores }) => scores[task]!)).value)),
      withError(meanOf(group.rows.map(({ mean }) => mean))),
      own === undefined || own === group ? "" : points(lead(own, group)),
      own === group ? "" : shown(leadByItems(group), points),
      shown(validationOf(group), ({ value }) => percent(value)),
    ]),
  ];
}

const shown = (estimate: Estimate | undefined, show: (estimate: Estimate) => string): string =>
  estimate === undefined ? "" : show(estimate);

function validationOf({ rows }: Group): Estimate | undefined {
  const known = rows.flatMap(({ validation }) => (validation === undefined ? [] : [validation]));
  return known.length === 0 ? undefined : meanOf(known);
}

/** Entries beside DF-Merge as it is. */
function variantTable(rows: readonly Measured[], family: string, entries: readonly string[]): Table {
  const groups = groupsOf(rows, family, [dfMerge.name, ...entries]);
  const own = groups.find(({ entry }) => entry === dfMerge.name);
  return [
    ["", "test mean, %", "DF-Merge is ahead by, over seeds", "validation", "seeds"],
    ...groups.map((group) => [
      group.entry,
      withError(meanOf(group.rows.map(({ mean }) => mean))),
      own === undefined || own === group ? "" : points(lead(own, group)),
      shown(validationOf(group), ({ value }) => percent(value)),
      String(group.rows.length),
    ]),
  ];
}

const searches = [dfMerge.name, "search with static Fisher", "search without Fisher", "task arithmetic"];

/** How many trials until the best so far is within half a point, and a tenth, of the best of all. */
function trialsTable(rows: readonly Measured[], family: string): Table {
  const needed = (row: Measured, within: number): number => {
    const best = bestSoFar(row.curve!);
    return best.findIndex((value) => value >= best.at(-1)! - within) + 1;
  };
  return [
    ["trials until the best so far is within", "1 point of the last", "0.5 points", "0.1 points"],
    ...groupsOf(rows, family, searches).map(({ entry, rows: of }) => [
      entry,
      ...[0.01, 0.005, 0.001].map((within) => {
        const each = of.map((row) => needed(row, within));
        return each.join(", ");
      }),
    ]),
  ];
}

/** The document with the tables of `rows`, and its pictures: what each file of the repository is to hold. */
export async function documentOf(rows: readonly Measured[]): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const tables: Record<string, Table> = {};
  const names = (entries: readonly { readonly name: string }[]): string[] => entries.map(({ name }) => name);
  for (const family of familyNames.filter((name) => rows.some((row) => row.family === name))) {
    tables[`${family} main`] = mainTable(rows, family);
    const ablations = ["search with static Fisher", "search without Fisher", "Fisher", ...names(variants)];
    tables[`${family} ablations`] = variantTable(rows, family, ablations);
    tables[`${family} shares`] = variantTable(rows, family, names(shares));
    tables[`${family} trials`] = trialsTable(rows, family);
    const methods = groupsOf(rows, family, [...names(rivals), dfMerge.name]);
    files.set(`docs/results-${family}-methods.svg`, await standaloneSvg(methodsChart(methods)));
    files.set(`docs/results-${family}-trials.svg`, await standaloneSvg(trialsChart(groupsOf(rows, family, searches))));
  }
  const text = await readFile(join(repository, DOCUMENT), "utf8");
  const filled = text.replace(/(<!-- table ([\w ]+) -->\n)[\s\S]*?(<!-- end -->)/g, (_, begin, name, end) => {
    const table = tables[name];
    if (table === undefined) throw new Error(`${DOCUMENT}: there is no table "${name}"`);
    return `${begin}\n${asMarkdown(table)}\n\n${end}`;
  });
  return files.set(DOCUMENT, filled);
}

export async function writeDocument(rows: readonly Measured[]): Promise<void> {
  for (const [path, text] of await documentOf(rows)) await writeFile(join(repository, path), text);
}
