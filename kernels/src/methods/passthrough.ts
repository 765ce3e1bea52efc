// The one model there is, optionally scaled.
import { mul } from "../expr.ts";
import type { MergeMethod } from "../method.ts";

export const passthrough: MergeMethod = {
  name: "passthrough",
  summary: "The only model's tensors, times a scale.",
  reference: "mergekit passthrough",
  base: "none",
  minModels: 1,
  maxModels: 1,
  companions: [],
  parameters: {
    scale: { kind: "number", scope: "model", default: 1, doc: "Factor of the model's tensors." },
  },
  mergekit: "everyOperation",
  build: (m) => mul(m.models[0]!, m.params("scale")[0]!),
};
