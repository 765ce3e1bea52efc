import { expect, test } from "vitest";
import { t5Config } from "../testing/fixtures.ts";
import { buildModel } from "./families/index.ts";

const embeddings = ["shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"];

/** What a T5 reads of the names that its embeddings may have, where the checkpoint has `stored` of them. */
function read(config: object, ...stored: string[]): string[] {
  const { graph } = buildModel({ ...t5Config, ...config }, (name) => stored.includes(name));
  return embeddings.filter((name) => graph.weights.has(name));
}

test("a shared weight is read under the name that the checkpoint has, and once", () => {
  expect(read({}, "shared.weight")).toEqual(["shared.weight"]);
  expect(read({}, "encoder.embed_tokens.weight", "decoder.embed_tokens.weight")).toEqual([
    "encoder.embed_tokens.weight",
  ]);
});

test("a weight that is stored apart is read apart, whatever the config says", () => {
  for (const tie_word_embeddings of [true, false]) {
    expect(read({ tie_word_embeddings }, "shared.weight", "lm_head.weight")).toEqual([
      "shared.weight",
      "lm_head.weight",
    ]);
  }
});

test("an output layer that the config does not tie is missed where it is not stored", () => {
  expect(read({ tie_word_embeddings: false }, "shared.weight")).toEqual(["shared.weight", "lm_head.weight"]);
});

test("without a checkpoint the config says what is shared", () => {
  expect([...buildModel(t5Config).graph.weights.keys()]).not.toContain("lm_head.weight");
  expect([...buildModel({ ...t5Config, tie_word_embeddings: false }).graph.weights.keys()]).toContain("lm_head.weight");
});

test("the bias of a masked language model's output layer is read under either name", () => {
  const bert = {
    architectures: ["BertForMaskedLM"],
    hidden_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 8,
    vocab_size: 20,
  };
  const biases = ["cls.predictions.bias", "cls.predictions.decoder.bias"];
  for (const [stored, expected] of [
    [["cls.predictions.bias"], ["cls.predictions.bias"]],
    [["cls.predictions.decoder.bias"], ["cls.predictions.decoder.bias"]],
    [biases, ["cls.predictions.decoder.bias"]],
  ] as const) {
    const { graph } = buildModel(bert, (name) => (stored as readonly string[]).includes(name));
    expect(biases.filter((name) => graph.weights.has(name))).toEqual(expected);
  }
});
