import { expect, test } from "vitest";
import { bertConfig, t5Config } from "../../testing/fixtures.ts";
import { buildModel, supportedArchitectures } from "./index.ts";

test("an unknown architecture is refused with the list of the supported ones", () => {
  const config = { architectures: ["MambaForCausalLM"], model_type: "mamba" };
  expect(() => buildModel(config)).toThrow(
    `config.json: architectures: MambaForCausalLM cannot be run (supported: ${supportedArchitectures.join(", ")})`,
  );
  expect(supportedArchitectures).toContain("BertForSequenceClassification");
});

test("wrong keys of a config are all named at once", () => {
  const config = { ...bertConfig({ hidden: 16, layers: 1, heads: 3, vocabulary: 20, labels: 2 }), hidden_act: "mish" };
  expect(() => buildModel({ ...config, vocab_size: 0 })).toThrow(
    expect.objectContaining({
      problems: [
        expect.stringMatching(/config.json: vocab_size: /),
        expect.stringMatching(/config.json: hidden_act: /),
      ],
    }),
  );
  expect(() => buildModel({ ...config, hidden_act: "gelu" })).toThrow(
    "config.json: num_attention_heads: must divide hidden_size",
  );
});

const textSizes = { hidden: 16, layers: 1, heads: 2, vocabulary: 20, labels: 2 };

test.each([
  [{ position_embedding_type: "relative_key" }, /position_embedding_type: .*absolute/],
  [{ is_decoder: true }, /is_decoder: /],
  [
    { architectures: ["RobertaForMaskedLM"], max_position_embeddings: 2 },
    /pad_token_id: must be at least 0 and less than max_position_embeddings - 1/,
  ],
  [
    { architectures: ["DistilBertForMaskedLM"], dim: 16, hidden_dim: 8, n_layers: 1, n_heads: 3 },
    /n_heads: must divide dim/,
  ],
  [{ ...t5Config, feed_forward_proj: "gated-mish" }, /feed_forward_proj: .*gated-gelu/],
  [{ ...t5Config, relative_attention_num_buckets: 2 }, /relative_attention_num_buckets: /],
  [{ ...t5Config, relative_attention_max_distance: 16 }, /relative_attention_max_distance: must be more than half/],
])("what no graph can be built for is refused: %j", (keys, message) => {
  expect(() => buildModel({ ...bertConfig(textSizes), ...keys })).toThrow(message);
});

test("a model's limits are those of its config: RoBERTa's positions begin after the padding token's", () => {
  const config = bertConfig(textSizes);
  expect(buildModel(config)).toMatchObject({
    kind: "sequence-classification",
    labels: 2,
    vocabularySize: 20,
    maxTokens: 64,
  });
  const roberta = { ...config, architectures: ["XLMRobertaForMaskedLM"] };
  expect(buildModel(roberta)).toMatchObject({ kind: "masked-lm", maxTokens: 62 });
  expect(buildModel({ ...roberta, pad_token_id: 5 }).maxTokens).toBe(58);
  expect(buildModel({ ...config, pad_token_id: -1 }).maxTokens).toBe(64);
  expect(buildModel(t5Config)).toMatchObject({ kind: "seq2seq-lm", vocabularySize: 20, decoderStart: 0 });
  expect(buildModel({ ...t5Config, pad_token_id: 3 }).decoderStart).toBe(3);
  expect(buildModel(t5Config).maxTokens).toBeUndefined();
});
