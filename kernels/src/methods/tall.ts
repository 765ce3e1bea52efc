// TALL masks: which entries of a multi-task vector a task needs. tall_masks keeps them, as an artefact. Consensus merging keeps the entries that enough tasks need; the
// multi-task vector is the plain sum of the task vectors (consensus_ta) or their TIES merge (consensus_ties).
import { abs, add, constant, type F32, ge, gt, type Mask, mul, select, sub, sum } from "../expr.ts";
import type { MergeMethod, MethodContext, NumberParameter } from "../method.ts";
import { lambda } from "./parameters.ts";
import { taskVectors } from "./parts.ts";
import { disjointMerge, keptOverModel, tiesOfficial } from "./ties-official.ts";

const maskLambda: NumberParameter = {
  kind: "number",
  scope: "model",
  default: 0.4,
  min: 0,
  doc: "A task needs an entry where its task vector is larger than mask_lambda times the rest of the multi-task vector; 0.2 to 0.6.",
};

/** Where each task vector outweighs what the multi-task vector adds to it. */
function masksOf(m: MethodContext, multiTask: F32): Mask[] {
  return taskVectors(m).map((x, i) => gt(abs(x), mul(m.params("mask_lambda")[i]!, abs(sub(x, multiTask)))));
}

function consensus(m: MethodContext, multiTask: F32): F32 {
  const needed = sum(masksOf(m, multiTask).map((mask) => select(mask, 1, 0)));
  return add(m.base, mul(select(ge(needed, m.param("agreement")), multiTask, 0), m.param("lambda")));
}

export const tallMasks: MergeMethod = {
  name: "tall_masks",
  summary:
    "An artefact of the sum of the task vectors, and a mask of what each task needs; `amalgam materialize` makes its models.",
  reference: "TALL masks, arXiv 2405.07813 (nik-dim/tall_masks)",
  base: "required",
  minModels: 1,
  companions: [],
  parameters: { mask_lambda: maskLambda },
  build: (m) => sum(taskVectors(m)),
  artefact: (m) => ({ masks: masksOf(m, sum(taskVectors(m))), scales: m.models.map(() => constant(1)) }),
};

export const consensusTa: MergeMethod = {
  name: "consensus_ta",
  summary: "Base plus the sum of the task vectors at the entries that at least `agreement` tasks need.",
  reference: "Consensus merging (TALL masks), arXiv 2405.07813 (nik-dim/tall_masks)",
  base: "required",
  minModels: 1,
  companions: [],
  parameters: {
    mask_lambda: maskLambda,
    agreement: {
      kind: "number",
      scope: "global",
      default: 2,
      min: 0,
      doc: "Number of tasks that must need an entry; 0 keeps all entries, 1 drops those that no task needs.",
    },
    lambda,
  },
  build: (m) => consensus(m, sum(taskVectors(m))),
};

export const consensusTies: MergeMethod = {
  ...consensusTa,
  name: "consensus_ties",
  summary: "As consensus_ta, with the disjoint sum of TIES-Merging in place of the plain sum.",
  reference: "Consensus merging (TALL masks), arXiv 2405.07813, on TIES-Merging, arXiv 2306.01708",
  parameters: { ...consensusTa.parameters, density: tiesOfficial.parameters["density"]! },
  build: (m) => consensus(m, disjointMerge(keptOverModel(m), "sum")),
};
