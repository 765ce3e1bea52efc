// Runs the study and writes docs/results.md: every entry on every family and seed that is not yet in the results.
//   npx node examples/study/study.ts [--families text,images] [--seeds 0-2] [--parts main,variants,shares] [--only PATTERN] [--trials 30]
//     [--results FILE] [--table]
// --only takes the variants and shares whose name the regular expression finds; --table draws the document from the results alone.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeDocument } from "./document.ts";
import { dfMerge, type Entry, rivals, shares, variants } from "./entries.ts";
import { type Family, familyNames, familyOf } from "./families.ts";
import { type Compared, runSearch } from "./measure.ts";
import { appendResult, type Measured, readResults } from "./results.ts";

const { values: options } = parseArgs({
  options: {
    families: { type: "string", default: familyNames.join(",") },
    seeds: { type: "string", default: "0-2" },
    parts: { type: "string", default: "main,variants,shares" },
    only: { type: "string", default: "" },
    trials: { type: "string", default: "30" },
    results: { type: "string", default: join(import.meta.dirname, "results.jsonl") },
    table: { type: "boolean", default: false },
  },
});
const trials = Number(options.trials);
const [first, last = first] = options.seeds.split("-").map(Number);
const seeds = Array.from({ length: last! - first! + 1 }, (_, index) => first! + index);

const found = (family: Family, entry: string): Measured | undefined =>
  readResults(options.results).find(
    (row) => row.family === family.name && row.seed === family.seed && row.entry === entry,
  );

function note(row: Measured): Measured {
  appendResult(options.results, row);
  const { family, seed, entry, mean, seconds } = row;
  const time = seconds === undefined ? "" : `, ${seconds.toFixed(0)} s`;
  process.stderr.write(`${family} ${seed} ${entry}: ${(100 * mean).toFixed(2)}${time}\n`);
  return row;
}

async function measured(family: Family, entry: Entry): Promise<Measured> {
  const known = found(family, entry.name);
  return known ?? note((await runSearch(family, entry, { trials, compare: [] })).measured);
}

/** The entry with the numbers found for it. */
function asRow({ name, merge_method, parameters }: Entry, coefficients: Readonly<Record<string, number>>): Compared {
  const own: Record<string, number> = {};
  const weights: Record<string, number> = {};
  for (const [coefficient, value] of Object.entries(coefficients)) {
    const model = /^weight\[(.+)\]$/.exec(coefficient)?.[1];
    if (model === undefined) own[coefficient] = value;
    else weights[model] = value;
  }
  return {
    name,
    merge_method,
    parameters: { ...parameters, ...own },
    ...(Object.keys(weights).length > 0 && { weights }),
  };
}

/** The final table of DF-Merge has every rival as a row, so that all of them answer the same items. */
async function main(family: Family): Promise<void> {
  if (found(family, dfMerge.name) !== undefined) return;
  const compare: Compared[] = [];
  for (const entry of rivals) {
    const coefficients = entry.coefficients && (await measured(family, entry)).coefficients;
    compare.push(asRow(entry, coefficients ?? {}));
  }
  const { measured: own, compared } = await runSearch(family, dfMerge, { trials, compare });
  for (const row of compared) note({ ...found(family, row.entry), ...row });
  note(own);
}

if (!options.table) {
  for (const part of options.parts.split(",")) {
    for (const name of options.families.split(",")) {
      for (const seed of seeds) {
        const family = familyOf(name, seed);
        if (part === "main") await main(family);
        else
          for (const entry of part === "variants" ? variants : shares)
            if (new RegExp(options.only).test(entry.name)) await measured(family, entry);
      }
    }
  }
}
await writeDocument(readResults(options.results));
