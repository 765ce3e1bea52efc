// Fisher merging: the models' average, each entry weighted by its diagonal Fisher information.
import { add, div, type F32, gt, max, mul, select, sub, sum } from "../expr.ts";
import type { MergeMethod } from "../method.ts";
import { perNorm } from "./parts.ts";

export const fisher: MergeMethod = {
  name: "fisher",
  summary: "Average of the models weighted entry by entry with their diagonal Fisher information.",
  reference: "Fisher merging, arXiv 2111.09832 (mmatena/model_merging)",
  base: "none",
  minModels: 1,
  companions: ["fisher"],
  parameters: {
    weight: {
      kind: "number",
      scope: "model",
      default: 1,
      min: 0,
      doc: "Coefficient of the model's Fisher information.",
    },
    normalize: {
      kind: "enum",
      scope: "global",
      choices: ["none", "l2"],
      default: "none",
      doc: "l2 divides each model's coefficient by the L2 norm of its Fisher information over the whole model.",
    },
    floor: { kind: "number", scope: "global", default: 1e-6, min: 0, doc: "Lower bound of the Fisher information." },
    favor_target: {
      kind: "boolean",
      scope: "global",
      default: true,
      doc: "Apply the floor to the first model only, so that its value survives where no other has information.",
    },
  },
  build: (m) => {
    const [target, ...donors] = m.models as [F32, ...F32[]];
    const importance = m.companions("fisher").map((information, i) => {
      const floored = i === 0 || !m.flag("favor_target") ? max(information, m.param("floor")) : information;
      const coefficient = m.params("weight")[i]!;
      return mul(m.choice("normalize") === "l2" ? perNorm(coefficient, information) : coefficient, floored);
    });
    const total = sum(importance);
    // The average written as a step from the target: exact where models agree, and the target where nothing has weight.
    const steps = donors.map((model, i) => mul(div(importance[i + 1]!, total), sub(model, target)));
    return steps.length ? select(gt(total, 0), add(target, sum(steps)), target) : target;
  },
};
