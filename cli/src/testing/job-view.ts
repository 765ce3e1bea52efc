// Views of made-up jobs for tests of what is shown.
import { type CandidateViewSchema, type JobView, JobViewSchema } from "@amalgam/proto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";

export type CandidateInit = Exclude<MessageInitShape<typeof CandidateViewSchema>, { $typeName: string }>;

const TASKS = ["one", "two"];

/** A candidate with both tasks scored at `accuracy`. */
export const scored = (id: string, role: string, accuracy: number, more: CandidateInit = {}): CandidateInit => ({
  id,
  role,
  name: id,
  state: "scored",
  objective: accuracy,
  objectiveStandardError: 0.01,
  scores: TASKS.map((task) => ({ task, split: "test", metric: "accuracy", score: accuracy, standardError: 0.014 })),
  ...more,
});

export const planning: JobView = create(JobViewSchema, { jobId: "j1", kind: "search", state: "planning" });

export const searching = (candidates: CandidateInit[], more: MessageInitShape<typeof JobViewSchema> = {}): JobView =>
  create(JobViewSchema, {
    jobId: "j1",
    kind: "search",
    state: "searching",
    method: "ties",
    shards: 4,
    inputBytes: 20_500_000n,
    outputBytes: 2_270_000n,
    trialsPlanned: 3,
    tasks: TASKS,
    metric: "accuracy",
    outputDirectory: "/out",
    candidates,
    ...more,
  } as MessageInitShape<typeof JobViewSchema>);
