// `amalgam study`: the study of a finished search, or of one that a coordinator runs, for other programs or in short.
import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  HISTORY_FILE,
  optunaStudy,
  type RecordedStudy,
  readSearchHistory,
  studyLog,
  studySummary,
} from "@amalgam/coordinator";
import { AmalgamError } from "@amalgam/runtime";
import type { CommandContext } from "../context.ts";
import { studyLines } from "../render/study-text.ts";
import { withCoordinator } from "../roles/connect.ts";

export interface StudyOptions {
  readonly coordinator: string;
}

export async function show(context: CommandContext, source: string, options: StudyOptions): Promise<void> {
  const study = await readStudy(context, source, options);
  const summary = studySummary(study);
  if (context.json) return context.printJson(summary);
  for (const line of studyLines(study, summary)) context.print(line);
}

export async function exportStudy(
  context: CommandContext,
  source: string,
  options: StudyOptions & { readonly format: "jsonl" | "optuna" },
): Promise<void> {
  const study = await readStudy(context, source, options);
  const text = options.format === "jsonl" ? studyLog(study) : optunaStudy(study);
  context.print(text.trimEnd());
}

/** An output directory or its search.json where there is one of that name; else the id of a job. */
async function readStudy(
  context: CommandContext,
  source: string,
  { coordinator }: StudyOptions,
): Promise<RecordedStudy> {
  if (!existsSync(source)) return withCoordinator(coordinator, (client) => studyOfJob(client, source, context.signal));
  const path = (await stat(source)).isDirectory() ? join(source, HISTORY_FILE) : source;
  if (!existsSync(path)) {
    throw new AmalgamError("not_found", `${source} has no ${HISTORY_FILE}: it is not the output of a search`);
  }
  try {
    return readSearchHistory(await readFile(path, "utf8")).study;
  } catch (error) {
    throw new AmalgamError("invalid_argument", `${path}: ${error instanceof Error ? error.message : error}`);
  }
}

async function studyOfJob(
  client: Parameters<Parameters<typeof withCoordinator>[1]>[0],
  jobId: string,
  signal: AbortSignal,
): Promise<RecordedStudy> {
  const chunks: Uint8Array[] = [];
  for await (const { data } of client.getStudy({ jobId }, { signal })) chunks.push(data);
  return JSON.parse(Buffer.concat(chunks).toString("utf8")) as RecordedStudy;
}
