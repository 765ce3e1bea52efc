import { expect, test } from "vitest";
import { logitsName } from "../graph/families/family.ts";
import { buildModel } from "../graph/families/index.ts";
import { logitsHead } from "../graph/heads.ts";
import { asWeights, bertConfig, randomEncodings, randomWeights, uniform } from "../testing/fixtures.ts";
import { feedsOf, makeBatches } from "./batches.ts";
import { programOf } from "./program.ts";
import { CPU, providersOf } from "./providers.ts";
import { createSession } from "./session.ts";

const config = bertConfig({ hidden: 16, layers: 2, heads: 2, vocabulary: 30, labels: 3 });
const graph = logitsHead(buildModel(config));
const batches = makeBatches(randomEncodings(uniform(3), [7, 3, 5], 30), { items: 3, tokens: 64 });

async function logitsOn(provider: string): Promise<Float32Array> {
  await using session = createSession({ weights: graph.weights, threads: 1, provider });
  using program = await session.open(programOf(graph));
  using model = await session.load(asWeights(randomWeights(config, 8)));
  const [output] = await session.run(model, program, batches.map(feedsOf));
  return output![logitsName]!.data as Float32Array;
}

/** WebGPU wants a GPU or the software driver that `scripts/ensure-vulkan-driver.ts` fetches. */
const webgpu = await logitsOn("webgpu").catch((error: Error) => error);
const reason = webgpu instanceof Error ? `: skipped, ${webgpu.message.slice(0, 80)}` : "";

test.skipIf(webgpu instanceof Error)(`webgpu gives the CPU's logits to 1e-4${reason}`, async () => {
  const cpu = await logitsOn(CPU);
  const difference = Math.max(...cpu.map((value, i) => Math.abs(value - (webgpu as Float32Array)[i]!)));
  expect(difference).toBeLessThan(1e-4);
});

test("an execution provider that onnxruntime does not have is refused with those that it has", () => {
  expect(() => providersOf("abacus")).toThrow(
    /^onnxruntime here has no execution provider "abacus": it has .*cpu.*webgpu/,
  );
  expect(providersOf("webgpu")).toEqual(["webgpu", "cpu"]);
});
