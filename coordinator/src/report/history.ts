// search.json: every candidate of a search with its coefficients and scores, for programs. Pure.
import { type JobView, JobViewSchema } from "@amalgam/proto";
import { toJson } from "@bufbuild/protobuf";

export interface Recommended {
  readonly candidateId: string;
  readonly coefficients: Readonly<Record<string, number>>;
  readonly mean: number;
  readonly standardDeviation: number;
  readonly probabilityBest?: number;
}

export function searchHistory(view: JobView, recommended: Recommended): string {
  const { candidates, tasks } = toJson(JobViewSchema, view) as Record<string, unknown>;
  const { candidateId, coefficients, mean, standardDeviation, probabilityBest } = recommended;
  return `${JSON.stringify({ tasks, recommended: { candidateId, coefficients, mean, standardDeviation, probabilityBest }, candidates }, undefined, 1)}\n`;
}
