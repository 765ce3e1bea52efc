import { expect, test } from "vitest";
import { planning, scored, searching } from "../testing/job-view.ts";
import { jobChanges, jobJson } from "./job-json.ts";

test("byte counts are numbers, and fields are there when they are zero or empty", () => {
  const json = jobJson(searching([]));
  expect(json).toMatchObject({ jobId: "j1", inputBytes: 20_500_000, shardsWritten: 0, problem: "", candidates: [] });
});

test("a change of the job and of a candidate's state is told once", () => {
  const merging = { id: "t0", role: "trial", name: "t0", state: "merging", shardsMerged: 1 };
  const first = jobChanges(planning, searching([merging]));
  expect(first).toMatchObject([{ job: { state: "searching" } }, { candidate: { id: "t0", state: "merging" } }]);
  expect(first[0]).not.toHaveProperty("job.candidates");
  const further = searching([{ ...merging, shardsMerged: 2 }]);
  expect(jobChanges(searching([merging]), further)).toEqual([]);
  expect(jobChanges(further, searching([scored("t0", "trial", 0.7)]))).toMatchObject([
    { candidate: { objective: 0.7 } },
  ]);
});
