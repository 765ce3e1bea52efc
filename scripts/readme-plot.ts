/**
 * Draws the README's picture of a search from a finished one: reads search.json of an output directory and writes
 * docs/search.svg. Usage: node scripts/readme-plot.ts [out/quickstart]
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { readSearchHistory } from "../coordinator/src/report/read-history.ts";
import { renderSearchPlot } from "../coordinator/src/report/report.ts";

const repository = join(import.meta.dirname, "..");
const output = resolve(process.argv[2] ?? join(repository, "out", "quickstart"));
const { view, recommended } = readSearchHistory(await readFile(join(output, "search.json"), "utf8"));
const picture = join(repository, "docs", "search.svg");
await mkdir(join(repository, "docs"), { recursive: true });
await writeFile(picture, await renderSearchPlot(view, recommended));
process.stdout.write(`${picture}: ${view.candidates.filter(({ role }) => role === "trial").length} trials\n`);
