import { expect, test } from "vitest";
import { loadWeightsFromCheckpoint } from "../model-directory.ts";
import { float32, int32, programOf, type Tensors } from "../session/program.ts";
import { createSession } from "../session/session.ts";
import { readGoldenModel } from "../testing/golden-models.ts";
import { inputNames } from "./families/family.ts";
import { buildModel } from "./families/index.ts";
import { likelihoodNames, targetNames, tokenLogLikelihood } from "./heads.ts";

interface Expected {
  readonly inputs: { readonly input_ids: number[][] };
  readonly logits: number[][][];
}

test("log-likelihoods sum the targets that count, wherever they stand in each text", async () => {
  const { directory, config, expected } = await readGoldenModel<Expected>("llama");
  const model = buildModel(config);
  model.graph.output(likelihoodNames.tokens, tokenLogLikelihood(model), "float32", ["items"]);
  const graph = model.graph.build();
  await using session = createSession({ weights: graph.weights, threads: 1 });
  using program = await session.open(programOf(graph));
  using loaded = await session.load(await loadWeightsFromCheckpoint(directory));
  const { input_ids: ids } = expected.inputs;
  const dims = [ids.length, ids[0]!.length];
  const targets = ids.map((row) => [...row.slice(1), 0]);
  const logLikelihood = (logits: readonly number[], target: number): number =>
    logits[target]! - Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));

  /** Weights of each text, by place. */
  const cases: Record<number, number>[][] = [
    [{ 4: 1 }, { 4: 1 }, { 4: 1 }],
    [{ 2: 0.5, 3: 0.5 }, { 12: 1 }, { 7: 0.25, 9: 2 }],
    [{}, { 5: -1 }, {}],
    [{}, {}, {}],
  ];
  for (const weights of cases) {
    const dense = ids.flatMap((row, item) => row.map((_, place) => weights[item]![place] ?? 0));
    const feeds: Tensors = {
      [inputNames.ids]: int32(dims, Int32Array.from(ids.flat())),
      [targetNames.targets]: int32(dims, Int32Array.from(targets.flat())),
      [targetNames.weights]: float32(dims, Float32Array.from(dense)),
    };
    const [outputs] = await session.run(loaded, program, [feeds]);
    const found = outputs![likelihoodNames.tokens]!.data;
    for (const [item, places] of weights.entries()) {
      const sum = Object.entries(places).reduce((total, [place, weight]) => {
        const at = Number(place);
        return total + weight * logLikelihood(expected.logits[item]![at]!, targets[item]![at]!);
      }, 0);
      expect(found[item]).toBeCloseTo(sum, 5);
    }
  }
});
