// The model of one task, from an artefact (see Artefact in method.ts): what `amalgam materialize` merges with.
import { add, floor, ge, mul, neg, powerOfTwo, select, sub } from "../expr.ts";
import type { MergeMethod } from "../method.ts";

export const maskedTask: MergeMethod = {
  name: "masked_task",
  summary:
    "Base plus scale times the vector of an artefact where a task's mask is set; what `amalgam materialize` runs.",
  reference: "EMR-Merging, arXiv 2405.17461; TALL masks, arXiv 2405.07813",
  base: "required",
  minModels: 1,
  maxModels: 1,
  companions: ["masks"],
  parameters: {
    bit: { kind: "number", scope: "global", min: 0, max: 7, doc: "Which bit of the masks is the task's." },
    scale: { kind: "number", scope: "global", default: 1, doc: "Scale of the vector." },
  },
  build: (m) => {
    const [vector, masks] = [m.models[0]!, m.companions("masks")[0]!];
    // The mask's bits from the task's on; odd when it is set.
    const bits = floor(mul(masks, powerOfTwo(neg(m.param("bit")))));
    const isSet = ge(sub(bits, mul(floor(mul(bits, 0.5)), 2)), 1);
    return add(m.base, mul(select(isSet, vector, 0), m.param("scale")));
  },
};
