/** The measures of tasks that are scored by running the model here, by kind. */

import type { Task } from "../tasks/task.ts";
import { classification } from "./classification.ts";
import { generation } from "./generation.ts";
import { imageClassification } from "./image-classification.ts";
import type { Measure } from "./measure.ts";
import { multipleChoice } from "./multiple-choice.ts";
import { perplexity } from "./perplexity.ts";

export type ModelTask = Exclude<Task, { readonly kind: "command" }>;

const measures: { readonly [K in ModelTask["kind"]]: Measure<K> } = {
  classification,
  image_classification: imageClassification,
  multiple_choice: multipleChoice,
  perplexity,
  generation,
};

/** The measure of a task's own kind. */
export const measureOf = (task: ModelTask): Measure<ModelTask["kind"]> =>
  measures[task.kind] as Measure<ModelTask["kind"]>;
