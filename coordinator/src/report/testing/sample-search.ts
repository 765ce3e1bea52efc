// A search as the quickstart makes it: four experts, four tasks, thirty trials. Scores come from a smooth made-up surface
// with binomial noise from a fixed sequence, so that the charts look like those of a real job.

import { replay, type Study, type StudyEvent } from "@amalgam/optimizer";
import { type CandidateView, CandidateViewSchema, type JobView, JobViewSchema, TaskScoreSchema } from "@amalgam/proto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { RecordedStudy } from "../../engine/recorded-study.ts";
import type { Recommended } from "../history.ts";

export interface SampleOptions {
  readonly tasks?: readonly string[];
  readonly trials?: number;
  /** Numbers of the trials that fail. */
  readonly failed?: readonly number[];
  readonly comparisons?: boolean;
  readonly method?: string;
}

export interface Sample {
  readonly view: JobView;
  readonly recommended: Recommended;
  readonly recipe: string;
  readonly study: RecordedStudy;
}

const ITEMS = { validation: 600, test: 2000 };
const BEST = [0.42, 0.61, 0.35, 0.5];

export function sampleSearch(options: SampleOptions = {}): Sample {
  const tasks = options.tasks ?? ["sentiment", "supersense", "section", "speech"];
  const { trials = 30, failed = [7], comparisons = true, method = "df_merge" } = options;
  const random = sequence(20240607);
  const names = tasks.map((task) => `weight[${task}]`);

  const candidate = (
    fields: MessageInitShape<typeof CandidateViewSchema>,
    split: keyof typeof ITEMS,
    accuracies: readonly number[] | undefined,
  ): CandidateView => {
    const items = ITEMS[split];
    const scores = (accuracies ?? []).map((accuracy, index) => {
      const spread = Math.sqrt((accuracy * (1 - accuracy)) / items);
      const measured = Math.round(items * (accuracy + spread * normal(random))) / items;
      const standardError = Math.sqrt((measured * (1 - measured)) / items);
      return create(TaskScoreSchema, {
        task: tasks[index]!,
        split,
        metric: "accuracy",
        score: measured,
        standardError,
        loss: 1 - measured,
        items,
      });
    });
    const objective = scores.reduce((sum, { score }) => sum + score, 0) / Math.max(1, scores.length);
    return create(CandidateViewSchema, {
      state: "scored",
      ...fields,
      scores,
      objective,
      objectiveStandardError:
        Math.hypot(...scores.map(({ standardError }) => standardError)) / Math.max(1, scores.length),
    });
  };

  const candidates: CandidateView[] = [];
  for (let number = 0; number < trials; number++) {
    const origin =
      number === 0 ? "enqueued" : number < 4 ? "line" : number < 5 ? "centre" : number < 12 ? "sobol" : "model";
    const spread = number < 12 ? 0.5 : 1.2 / (number - 7);
    const point = tasks.map((_, index) => {
      if (number < 5) return [0.3, 0.15, 0.4, 0.75, 0.5][number]!;
      return Math.min(1, Math.max(0, BEST[index % 4]! + spread * (2 * random() - 1)));
    });
    const coefficients = Object.fromEntries(names.map((name, index) => [name, point[index]!]));
    const id = `t${number}`;
    const fails = failed.includes(number);
    candidates.push(
      candidate(
        { id, role: "trial", name: id, origin, coefficients, ...(fails ? failure("evaluator lost <3 times>") : {}) },
        "validation",
        fails ? undefined : merged(point),
      ),
    );
  }

  const best = candidates.reduce((a, b) => (b.state === "scored" && b.objective > a.objective ? b : a));
  const recommended: Recommended = {
    candidateId: best.id,
    coefficients: best.coefficients,
    mean: best.objective - 0.004,
    standardDeviation: 0.006,
    probabilityBest: 0.37,
  };
  const flat = (level: number): number[] => tasks.map((_, index) => level - 0.02 * (index % 4));
  if (comparisons) {
    const rows: [string, number[]][] = [
      ["base", flat(0.44)],
      ...tasks.map((task, own): [string, number[]] => [
        task,
        tasks.map((_, index) => (index === own ? 0.84 - 0.03 * (own % 4) : 0.46)),
      ]),
      ["average", flat(0.68)],
      ["task arithmetic", flat(0.7)],
      ["fisher", flat(0.71)],
      ["ties", flat(0.69)],
    ];
    for (const [index, [name, accuracies]] of rows.entries()) {
      candidates.push(candidate({ id: `c${index}`, role: "comparison", name }, "test", accuracies));
    }
  }
  const point = names.map((name) => recommended.coefficients[name]!);
  candidates.push(
    candidate(
      {
        id: "final",
        role: "final",
        name: `${method} (searched)`,
        coefficients: recommended.coefficients,
        origin: best.id,
      },
      "test",
      merged(point),
    ),
  );
  const view = create(JobViewSchema, {
    metric: "accuracy",
    jobId: "j1",
    kind: "search",
    state: "publishing",
    method,
    shards: 12,
    trialsPlanned: trials,
    candidates,
    recommendedId: best.id,
    tasks: [...tasks],
    outputDirectory: "/somewhere/out",
  });
  return { view, recommended, recipe: recipeText(tasks, recommended, comparisons), study: studyOf(view, names) };
}

/** The study that has seen the trials of the sample. */
export const studyOfSample = ({ study: { spec, events } }: Sample): Study => replay(spec, events);

function studyOf({ candidates, tasks }: JobView, names: readonly string[]): Sample["study"] {
  const dimensions = names.map((name) => ({ name, kind: "float", low: 0, high: 1 }) as const);
  const trials = candidates.filter(({ role }) => role === "trial");
  const events = trials.flatMap(({ coefficients, origin, scores, problem }, id): StudyEvent[] => [
    { type: "ask", id, values: coefficients, origin: origin as "sobol" },
    problem === ""
      ? {
          type: "tell",
          id,
          values: scores.map(({ score }) => score),
          standardErrors: scores.map(({ standardError }) => standardError),
        }
      : { type: "fail", id, reason: problem },
  ]);
  return { spec: { dimensions, seed: 1, metrics: tasks }, events, metric: "accuracy" };
}

/** Accuracy per task around the best point. */
function merged(point: readonly number[]): number[] {
  const distance = Math.hypot(...point.map((value, index) => value - BEST[index % 4]!));
  return point.map(
    (value, index) => 0.8 - 0.02 * (index % 4) - 0.12 * distance ** 1.5 - 0.25 * (value - BEST[index % 4]!) ** 2,
  );
}

function recipeText(tasks: readonly string[], { coefficients }: Recommended, comparisons: boolean): string {
  const models = tasks.map(
    (task) =>
      `  - model: ./expert\n    name: ${JSON.stringify(task)}\n    parameters:\n      weight: ${coefficients[`weight[${task}]`]}\n`,
  );
  const compare = comparisons
    ? "  compare:\n    - models\n    - name: average\n      merge_method: linear\n      parameters:\n        weight: 1\n"
    : "";
  return (
    `merge_method: task_arithmetic\nbase_model: ./base\nmodels:\n${models.join("")}seed: 1\n` +
    `evaluate:\n  tasks:\n${tasks.map((_, index) => `    - tasks/${index}.yaml\n`).join("")}  split: validation\n  confirm: test\n${compare}`
  );
}

const failure = (problem: string): { state: string; problem: string } => ({ state: "failed", problem });

/** Uniform numbers in [0, 1): the mulberry32 sequence. */
function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** About normal: twelve uniform numbers. */
function normal(random: () => number): number {
  let sum = -6;
  for (let index = 0; index < 12; index++) sum += random();
  return sum;
}
