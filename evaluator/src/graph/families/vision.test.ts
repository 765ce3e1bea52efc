// ViT and CLIP against transformers; tests/golden/transformers/make_vision.py made the numbers.
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { loadWeightsFromCheckpoint } from "../../model-directory.ts";
import { float32, programOf } from "../../program.ts";
import { createSession } from "../../session.ts";
import { goldenPath } from "../../testing/fixtures.ts";
import { logitsHead } from "../heads.ts";
import { inputNames, logitsName } from "./family.ts";
import { buildModel } from "./index.ts";

interface Golden {
  readonly pixel_values: number[][][][];
  readonly logits: number[][];
}

test.each([
  ["vit", "image-classification"],
  ["clip", "image-classification"],
  ["clip-features", "image-features"],
])("%s gives what transformers computes", async (name, kind) => {
  const read = async (file: string): Promise<unknown> =>
    JSON.parse(await readFile(goldenPath(`${name}/${file}`), "utf8"));
  const golden = (await read("expected.json")) as Golden;
  const model = buildModel(await read("config.json"));
  const { channels, height, width } = model.image!;
  expect(model).toMatchObject({ kind, [kind === "image-features" ? "features" : "labels"]: golden.logits[0]!.length });

  const graph = logitsHead(model);
  await using session = createSession({ weights: graph.weights, threads: 1 });
  const program = await session.open(programOf(graph));
  using loaded = await session.load(await loadWeightsFromCheckpoint(goldenPath(name)));
  const pixels = float32(
    [golden.logits.length, channels, height, width],
    Float32Array.from(golden.pixel_values.flat(3)),
  );
  const [outputs] = await session.run(loaded, program, [{ [inputNames.pixels]: pixels }]);
  const { dims, data } = outputs![logitsName]!;
  expect(dims).toEqual([golden.logits.length, golden.logits[0]!.length]);
  const differences = golden.logits.flat().map((value, i) => Math.abs(value - data[i]!));
  expect(Math.max(...differences)).toBeLessThan(1e-5);
});
