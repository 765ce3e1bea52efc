// A job as JSON for programs: whole, or what changed between two views. Pure. Field names are those of the wire.
import { type JobView, JobViewSchema } from "@amalgam/proto";
import { type JsonObject, toJson } from "@bufbuild/protobuf";

/** Every field, with byte counts as numbers. */
export function jobJson(view: JobView): JsonObject {
  const { inputBytes, outputBytes } = view;
  const fields = toJson(JobViewSchema, view, { alwaysEmitImplicit: true }) as JsonObject;
  return { ...fields, inputBytes: Number(inputBytes), outputBytes: Number(outputBytes) };
}

/** `{"job": ...}` without its candidates when that changed, then `{"candidate": ...}` for each that entered another state. */
export function jobChanges(before: JobView | undefined, after: JobView): JsonObject[] {
  const { candidates: _, ...job } = jobJson(after);
  const { candidates: __, ...last } = before === undefined ? {} : jobJson(before);
  const changes: JsonObject[] = JSON.stringify(job) === JSON.stringify(last) ? [] : [{ job }];
  const states = new Map(before?.candidates.map(({ id, state }) => [id, state]));
  const news = jobJson(after)["candidates"] as JsonObject[];
  for (const candidate of news) {
    if (states.get(candidate["id"] as string) !== candidate["state"]) changes.push({ candidate });
  }
  return changes;
}
