// The uniform soup: the plain mean of the models. The greedy soup is a search over soups of fewer models: see optimizer.
import { div, sum } from "../expr.ts";
import type { MergeMethod } from "../method.ts";

export const uniformSoup: MergeMethod = {
  name: "uniform_soup",
  summary: "The mean of the models.",
  reference: "Model soups, arXiv 2203.05482 (mlfoundations/model-soups)",
  base: "none",
  minModels: 1,
  companions: [],
  parameters: {},
  build: (m) => div(sum(m.models), m.models.length),
};
