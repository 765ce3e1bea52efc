// search.json back into the view it was written from, for tools that draw or compare finished searches.
import { type JobView, JobViewSchema } from "@amalgam/proto";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import type { Recommended } from "./history.ts";

/** @throws SyntaxError or Error when the text is no search history */
export function readSearchHistory(text: string): { readonly view: JobView; readonly recommended: Recommended } {
  const { tasks, candidates, recommended } = JSON.parse(text) as Record<string, JsonValue>;
  if (tasks === undefined || candidates === undefined || recommended === undefined) {
    throw new Error("search.json must have tasks, candidates and recommended");
  }
  const view = fromJson(JobViewSchema, { tasks, candidates });
  return { view, recommended: recommended as unknown as Recommended };
}
