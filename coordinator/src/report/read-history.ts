// search.json back into what it was written from, for tools that draw, compare or go on from finished searches.
import { type JobView, JobViewSchema } from "@amalgam/proto";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import type { SearchRecord } from "./history.ts";

/** @throws SyntaxError or Error when the text is no search history */
export function readSearchHistory(text: string): { readonly view: JobView } & SearchRecord {
  const { tasks, objective, metric, stopped, candidates, ...record } = JSON.parse(text) as Record<string, JsonValue>;
  if (tasks === undefined || candidates === undefined || record["recommended"] === undefined) {
    throw new Error("search.json must have tasks, candidates and recommended");
  }
  if (record["study"] === undefined)
    throw new Error("search.json has no study: an earlier version of Amalgam wrote it");
  const fields = {
    tasks,
    candidates,
    ...(objective !== undefined && { objective }),
    ...(metric !== undefined && { metric }),
    ...(stopped !== undefined && { stopped }),
  };
  return { view: fromJson(JobViewSchema, fields), ...(record as unknown as SearchRecord) };
}
