/** What an earlier search measured, for a search that starts from it: read, and held against the new one's coefficients and tasks. */
import { readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import {
  createStudy,
  openLog,
  type PastTrial,
  pastTrials,
  readOptunaTrials,
  replay,
  StudyError,
  type StudySpec,
  warmStart,
} from "@amalgam/optimizer";
import { HISTORY_FILE } from "../report/history-file.ts";

export interface EarlierSearch {
  readonly trials: readonly PastTrial[];
  /** How many trials are taken, and why others are not. */
  readonly note: string;
}

/**
 * @param reference an output directory of a search, its search.json, the log of a study, or trials of Optuna as JSON
 * @throws Error that says what to do when it is none of these, or fits nothing
 */
export async function readWarmStart(
  reference: string,
  baseDirectory: string,
  spec: Pick<StudySpec, "dimensions" | "metrics">,
): Promise<EarlierSearch> {
  const trials = readTrials(await readHistory(resolve(baseDirectory, reference)), reference, spec.metrics ?? []);
  const { added, dropped } = warmStart(createStudy({ ...spec, seed: 0 }), trials);
  if (added.length === 0) {
    const [first] = dropped;
    throw new Error(
      first === undefined
        ? "it has no finished trial"
        : `none of its trials is a point of this search: ${first.source}: ${first.reason}`,
    );
  }
  const left = dropped.length === 0 ? "" : `; ${dropped.length} are no points of this search (${dropped[0]!.reason})`;
  return { trials, note: `${added.length} trials of ${reference} are known${left}` };
}

async function readHistory(path: string): Promise<string> {
  const file = (await stat(path)).isDirectory() ? join(path, HISTORY_FILE) : path;
  return readFile(file, "utf8");
}

function readTrials(text: string, reference: string, tasks: readonly string[]): PastTrial[] {
  if (/^\{"v":\d+,"seq":0,/.test(text)) return pastTrials(openLog(text).study, reference, tasks);
  const { study } = parsed(text) as { readonly study?: Pick<ReturnType<typeof replay>, "spec" | "events"> };
  if (study !== undefined) return pastTrials(replay(study.spec, study.events), reference, tasks);
  return [...readOptunaTrials(text).trials];
}

/** Optuna's files may have NaN in them, which its reader knows. */
function parsed(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

/** One line for the problems of a plan. */
export function warmStartProblem(reference: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const kinds =
    "name the output directory of a search, its search.json, the log of a study, or trials of Optuna as JSON";
  if (code === "ENOENT" || code === "ENOTDIR") return `search: \`warm_start\`: ${reference} does not exist; ${kinds}`;
  return `search: \`warm_start\`: ${reference}: ${message}${error instanceof StudyError ? `; ${kinds}` : ""}`;
}
