import { expect, test } from "vitest";
import { asWeights } from "../testing/fixtures.ts";
import { WeightLoader } from "./loaded-weights.ts";

const parameters = new Map([
  ["a", [4]],
  ["b", [4]],
]);

function weights(digests: { readonly a?: string; readonly b?: string }) {
  const tensor = (value: number, digest: string | undefined) => ({
    dtype: "F32",
    shape: [4],
    bytes: new Uint8Array(new Float32Array(4).fill(value).buffer),
    ...(digest === undefined ? {} : { digest }),
  });
  return asWeights(
    new Map([
      ["a", tensor(1, digests.a)],
      ["b", tensor(2, digests.b)],
    ]),
  );
}

test("a tensor with a known digest is shared, the others are converted", async () => {
  const loader = new WeightLoader(parameters, 1000);
  const first = await loader.load(weights({ a: "x", b: "y" }));
  const second = await loader.load(weights({ a: "x", b: "z" }));
  expect(second.get("a")).toBe(first.get("a"));
  expect(second.get("b")).not.toBe(first.get("b"));
  expect(loader.cachedBytes).toBe(48);
});

test("without digests nothing is remembered", async () => {
  const loader = new WeightLoader(parameters, 1000);
  const first = await loader.load(weights({}));
  expect((await loader.load(weights({}))).get("a")).not.toBe(first.get("a"));
  expect(loader.cachedBytes).toBe(0);
});

test("the least recently used tensors go first and the budget holds", async () => {
  const loader = new WeightLoader(parameters, 32);
  const first = await loader.load(weights({ a: "x", b: "y" }));
  await loader.load(weights({ a: "x", b: "z" }));
  expect(loader.cachedBytes).toBe(32);
  const again = await loader.load(weights({ a: "x", b: "y" }));
  expect(again.get("a")).toBe(first.get("a"));
  expect(again.get("b")).not.toBe(first.get("b"));
});

test("weights of another model give the first twenty problems and their number", async () => {
  const many = new Map(Array.from({ length: 30 }, (_, i) => [`layer.${i}.weight`, [2, 2]]));
  const loading = new WeightLoader(many, 0).load(weights({}));
  await expect(loading).rejects.toThrow("tensor layer.0.weight: missing (the model needs it with shape [2,2])");
  await expect(loading).rejects.toThrow("... and 10 more tensors");
});
