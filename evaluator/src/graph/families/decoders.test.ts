import { expect, test } from "vitest";
import { loadWeightsFromCheckpoint } from "../../model-directory.ts";
import { int32, programOf } from "../../program.ts";
import { createSession } from "../../session.ts";
import { readGoldenModel } from "../../testing/golden-models.ts";
import { logitsHead } from "../heads.ts";
import { inputNames, logitsName } from "./family.ts";
import { buildModel } from "./index.ts";

interface Expected {
  readonly inputs: { readonly input_ids: number[][] };
  /** `[items][tokens][vocabulary]` */
  readonly logits: number[][][];
}

test.each(["gpt2", "llama"])("%s gives transformers' logits", async (name) => {
  const { directory, config, expected } = await readGoldenModel<Expected>(name);
  const graph = logitsHead(buildModel(config));
  await using session = createSession({ weights: graph.weights, threads: 1 });
  using program = await session.open(programOf(graph));
  using model = await session.load(await loadWeightsFromCheckpoint(directory));
  const ids = expected.inputs.input_ids;
  const feeds = { [inputNames.ids]: int32([ids.length, ids[0]!.length], Int32Array.from(ids.flat())) };
  const [outputs] = await session.run(model, program, [feeds]);
  const logits = outputs![logitsName]!.data;
  const largest = Math.max(...expected.logits.flat(2).map((value, i) => Math.abs(value - logits[i]!)));
  expect(largest).toBeLessThan(1e-6);
});
