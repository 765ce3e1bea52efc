/** Classification of images: the largest logit among those of the task's labels. */

import { noScores, scoreClassification } from "../score.ts";
import { itemsOfPart } from "../tasks/pieces.ts";
import type { Measure } from "./measure.ts";

export const imageClassification: Measure<"image_classification"> = {
  misfits(task, { model }) {
    const { kind, architecture, labels = 0 } = model;
    if (kind === "image-features") {
      return [`task ${task.name}: ${architecture} gives image features: the task needs a \`head\``];
    }
    if (kind !== "image-classification") {
      return [`task ${task.name}: ${architecture} has no head that classifies images`];
    }
    const end = task.labelOffset + task.labels.length;
    if (end <= labels) return [];
    const range = `${task.labelOffset} to ${end - 1}`;
    return [`task ${task.name}: its labels are logits ${range}, but config.json's id2label has ${labels}`];
  },

  async score({ task, name, split, part }, weights, { runner, datasets, images }, signal) {
    const { items, batches } = await datasets.prepared(task, name, part, async () => {
      const items = itemsOfPart(split.examples.length, part).map((item) => split.examples[item]!);
      return { items, batches: datasets.batches(await images!.read(items)) };
    });
    if (items.length === 0) return noScores("accuracy");
    const rows = await runner.logits(weights, batches, signal);
    const labelled = rows.map((logits, item) => ({ logits, label: items[item]!.label }));
    const slice = { offset: task.labelOffset, labels: task.labels.length };
    return scoreClassification(labelled, slice, (item) => items[item]!.place);
  },
};
