import { expect, test } from "vitest";
import { bertConfig } from "../../testing/fixtures.ts";
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
