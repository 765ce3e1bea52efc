// Layer swapping: the middle layers of one expert between the first and last layers of another, whose embeddings and head the
// result has. Layers in between may be a mixture of both.
import { add, and, ge, lt, mul, or, select, sub } from "../expr.ts";
import type { MergeMethod, NumberParameter } from "../method.ts";

const count = (byDefault: number | undefined, doc: string): NumberParameter => ({
  kind: "number",
  scope: "global",
  ...(byDefault === undefined ? {} : { default: byDefault }),
  min: 0,
  doc,
});

export const layerSwap: MergeMethod = {
  name: "layer_swap",
  summary:
    "The first model with the middle layers of the second: of a language expert and a task expert, in this order.",
  reference: "Layer swapping, arXiv 2410.01335",
  base: "none",
  minModels: 2,
  maxModels: 2,
  companions: [],
  parameters: {
    bottom: count(undefined, "Number of layers from the first on that are the first model's."),
    top: count(undefined, "Number of layers up to the last that are the first model's."),
    transition: count(0, "Number of layers inside of either border that are a mixture of both models."),
    share: {
      kind: "number",
      scope: "global",
      default: 0.5,
      min: 0,
      max: 1,
      doc: "Share of the second model in the mixture.",
    },
  },
  build: (m) => {
    const [outer, inner] = [m.models[0]!, m.models[1]!];
    const { index, count: layers } = m.layer;
    // Tensors outside of the layers have the index -1.
    const first = m.param("bottom");
    const end = sub(layers, m.param("top"));
    const isInner = and(ge(index, 0), and(ge(index, first), lt(index, end)));
    const width = m.param("transition");
    const isMixed = or(lt(index, add(first, width)), ge(index, sub(end, width)));
    const share = select(isInner, select(isMixed, m.param("share"), 1), 0);
    return add(mul(sub(1, share), outer), mul(share, inner));
  },
};
