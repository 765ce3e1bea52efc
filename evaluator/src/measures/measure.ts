/** What it takes to score the tasks of one kind with a model. */

import type { ImageReader } from "../images/reader.ts";
import type { ItemScores } from "../score.ts";
import type { ModelRunner } from "../session/model-runner.ts";
import type { Subject } from "../subject.ts";
import type { Datasets } from "../tasks/datasets.ts";
import type { Part } from "../tasks/pieces.ts";
import type { Split, TaskOf } from "../tasks/task.ts";
import type { ExampleOf } from "../tasks/task-data.ts";
import type { TaskHeader } from "../tasks/task-header.ts";
import type { Weights } from "../weights.ts";

export interface Bench {
  readonly runner: ModelRunner;
  readonly datasets: Datasets;
  /** Of a model that reads images. */
  readonly images?: ImageReader | undefined;
}

/** What is scored, of a task. */
export interface Portion<K extends TaskHeader["kind"]> {
  readonly task: TaskOf<K>;
  readonly name: string;
  readonly split: Split<ExampleOf[K]>;
  readonly part: Part;
}

export interface Measure<K extends TaskHeader["kind"]> {
  /** What a task asks that the model or the tokenizer cannot give. */
  misfits(task: TaskOf<K>, subject: Subject): string[];
  /** The score of a part that may have no items. */
  score(portion: Portion<K>, weights: Weights, bench: Bench, signal?: AbortSignal): Promise<ItemScores>;
}

/** For models without a longest text, and without a limit in the task. */
export const manyTokens = 2048;
