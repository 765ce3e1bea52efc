import { expect, test } from "vitest";
import { loadWeightsFromCheckpoint } from "../../model-directory.ts";
import { float32, int32, programOf } from "../../program.ts";
import { createSession } from "../../session.ts";
import { readGoldenModel } from "../../testing/golden-models.ts";
import { logitsHead } from "../heads.ts";
import { inputNames, logitsName } from "./family.ts";
import { buildModel } from "./index.ts";

interface Expected {
  readonly inputs: { readonly input_ids: number[][]; readonly attention_mask?: number[][] };
  /** `[items][tokens][vocabulary]`, or `[items][labels]` of a classifier. */
  readonly logits: (number | number[])[][];
}

const languageModels = ["gpt2", "llama", "llama3", "mistral", "qwen2", "qwen3", "gemma2"];
const classifiers = ["gpt2-classifier", "llama-classifier"];

test.each([...languageModels, ...classifiers])(
  "%s gives transformers' logits of every token that counts",
  async (name) => {
    const { directory, config, expected } = await readGoldenModel<Expected>(name);
    const model = buildModel(config);
    const graph = logitsHead(model);
    await using session = createSession({ weights: graph.weights, threads: 1 });
    using program = await session.open(programOf(graph));
    using loaded = await session.load(await loadWeightsFromCheckpoint(directory));
    const { input_ids: ids, attention_mask: mask = ids.map((row) => row.map(() => 1)) } = expected.inputs;
    const dims = [ids.length, ids[0]!.length];
    const feeds = {
      [inputNames.ids]: int32(dims, Int32Array.from(ids.flat())),
      [inputNames.mask]: float32(dims, Float32Array.from(mask.flat())),
    };
    const [outputs] = await session.run(loaded, program, [feeds]);
    const logits = outputs![logitsName]!;
    const [items, tokens] = logits.dims;
    expect(logits.dims).toEqual(model.kind === "causal-lm" ? [...dims, model.vocabularySize] : [items, model.labels]);
    const differences = expected.logits.flatMap((row, item) =>
      row.flatMap((values, token) => {
        if (typeof values === "number") return [Math.abs(values - logits.data[item * tokens! + token]!)];
        if (mask[item]![token] === 0) return [];
        return values.map((value, i) => Math.abs(value - logits.data[(item * tokens! + token) * values.length + i]!));
      }),
    );
    expect(Math.max(...differences)).toBeLessThan(1e-5);
  },
);
