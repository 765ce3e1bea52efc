// EMR-Merging: one vector that has each entry's majority sign and its largest magnitude, and for each model a mask of the entries
// whose sign it has and a scale that gives it the model's L1 norm. An artefact: see Artefact in method.ts.
import { abs, constant, countOver, div, eq, type F32, gt, type Mask, max, mul, select, sum, sumOver } from "../expr.ts";
import type { MergeMethod, MethodContext } from "../method.ts";
import { agreeing, taskVectors } from "./parts.ts";

interface Unified {
  readonly vectors: readonly F32[];
  readonly vector: F32;
  readonly masks: readonly Mask[];
}

function unified(m: MethodContext): Unified {
  const vectors = taskVectors(m);
  const positive = gt(sum(vectors), 0);
  const masks = agreeing(vectors, positive);
  const size = vectors.map((x, i) => select(masks[i]!, abs(x), 0)).reduce(max);
  return { vectors, vector: mul(size, select(positive, 1, -1)), masks };
}

export const emr: MergeMethod = {
  name: "emr",
  summary:
    "An artefact of one unified task vector, and a mask and a scale for each model; `amalgam materialize` makes its models.",
  reference: "EMR-Merging, arXiv 2405.17461 (harveyhuang18/EMR_Merging)",
  base: "required",
  minModels: 1,
  companions: [],
  parameters: {
    rescale_by: {
      kind: "enum",
      scope: "global",
      choices: ["l1", "tensor_means"],
      default: "l1",
      doc: "Scales from the L1 norms over the whole model, as the paper writes, or from the sums of the tensors' mean magnitudes, as its program computes.",
    },
  },
  build: (m) => unified(m).vector,
  artefact: (m) => {
    const { vectors, vector, masks } = unified(m);
    const share = m.choice("rescale_by") === "l1" ? constant(1) : div(1, countOver("tensor", eq(m.base, m.base)));
    const norm = (x: F32): F32 => sumOver("model", mul(abs(x), share));
    const scales = vectors.map((x, i) => {
      const masked = norm(select(masks[i]!, vector, 0));
      return select(gt(masked, 0), div(norm(x), masked), 0);
    });
    return { masks, scales };
  },
};
