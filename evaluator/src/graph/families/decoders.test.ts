import { expect, test } from "vitest";
import { onnxBytes } from "../builder.ts";
import { logitsHead } from "../heads.ts";
import { buildModel } from "./index.ts";

/** Keys that matter of the configs published with these models, in the layouts of the transformers that wrote them. */
const published = {
  gpt2: {
    architectures: ["GPT2LMHeadModel"],
    activation_function: "gelu_new",
    layer_norm_epsilon: 1e-5,
    n_ctx: 1024,
    n_embd: 768,
    n_head: 12,
    n_layer: 12,
    n_positions: 1024,
    vocab_size: 50257,
  },
  "Llama-3.2-1B": {
    architectures: ["LlamaForCausalLM"],
    attention_bias: false,
    head_dim: 64,
    hidden_act: "silu",
    hidden_size: 2048,
    intermediate_size: 8192,
    max_position_embeddings: 131072,
    mlp_bias: false,
    num_attention_heads: 32,
    num_hidden_layers: 16,
    num_key_value_heads: 8,
    rms_norm_eps: 1e-5,
    rope_scaling: {
      factor: 32.0,
      high_freq_factor: 4.0,
      low_freq_factor: 1.0,
      original_max_position_embeddings: 8192,
      rope_type: "llama3",
    },
    rope_theta: 500000.0,
    tie_word_embeddings: true,
    vocab_size: 128256,
  },
  "Mistral-7B-v0.1": {
    architectures: ["MistralForCausalLM"],
    hidden_act: "silu",
    hidden_size: 4096,
    intermediate_size: 14336,
    max_position_embeddings: 32768,
    num_attention_heads: 32,
    num_hidden_layers: 32,
    num_key_value_heads: 8,
    rms_norm_eps: 1e-5,
    rope_theta: 10000.0,
    sliding_window: 4096,
    tie_word_embeddings: false,
    vocab_size: 32000,
  },
  "Qwen2-0.5B": {
    architectures: ["Qwen2ForCausalLM"],
    hidden_act: "silu",
    hidden_size: 896,
    intermediate_size: 4864,
    max_position_embeddings: 131072,
    max_window_layers: 24,
    num_attention_heads: 14,
    num_hidden_layers: 24,
    num_key_value_heads: 2,
    rms_norm_eps: 1e-6,
    rope_theta: 1000000.0,
    sliding_window: 131072,
    tie_word_embeddings: true,
    use_sliding_window: false,
    vocab_size: 151936,
  },
  "Qwen3-0.6B": {
    architectures: ["Qwen3ForCausalLM"],
    attention_bias: false,
    head_dim: 128,
    hidden_act: "silu",
    hidden_size: 1024,
    intermediate_size: 3072,
    max_position_embeddings: 40960,
    max_window_layers: 28,
    num_attention_heads: 16,
    num_hidden_layers: 28,
    num_key_value_heads: 8,
    rms_norm_eps: 1e-6,
    rope_scaling: null,
    rope_theta: 1000000,
    sliding_window: null,
    tie_word_embeddings: true,
    use_sliding_window: false,
    vocab_size: 151936,
  },
  "gemma-2-2b": {
    architectures: ["Gemma2ForCausalLM"],
    attention_bias: false,
    attn_logit_softcapping: 50.0,
    cache_implementation: "hybrid",
    final_logit_softcapping: 30.0,
    head_dim: 256,
    hidden_act: "gelu_pytorch_tanh",
    hidden_activation: "gelu_pytorch_tanh",
    hidden_size: 2304,
    intermediate_size: 9216,
    max_position_embeddings: 8192,
    num_attention_heads: 8,
    num_hidden_layers: 26,
    num_key_value_heads: 4,
    query_pre_attn_scalar: 256,
    rms_norm_eps: 1e-6,
    rope_theta: 10000.0,
    sliding_window: 4096,
    vocab_size: 256000,
  },
};

test.each([
  ["gpt2", 124_439_808],
  ["Llama-3.2-1B", 1_235_814_400],
  ["Mistral-7B-v0.1", 7_241_732_096],
  ["Qwen2-0.5B", 494_032_768],
  ["Qwen3-0.6B", 596_049_920],
  ["gemma-2-2b", 2_614_341_888],
] as const)("%s has the number of parameters that it was published with", (name, parameters) => {
  const { weights } = buildModel(published[name]).graph;
  const sizes = weights.values().map((shape) => shape.reduce((product, size) => product * size, 1));
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(parameters);
});

const llama = {
  architectures: ["LlamaForCausalLM"],
  hidden_size: 16,
  intermediate_size: 24,
  max_position_embeddings: 64,
  num_attention_heads: 4,
  num_hidden_layers: 1,
  vocab_size: 30,
};
const bytes = (config: object): Uint8Array => onnxBytes(logitsHead(buildModel(config)));

test("rotary positions are read from the keys of transformers 5 and from those before it", () => {
  const llama3 = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 32 };
  const pairs = [
    [{ rope_theta: 500 }, { rope_parameters: { rope_type: "default", rope_theta: 500 } }],
    [{}, { rope_parameters: { rope_type: "default", rope_theta: 10000 } }],
    [
      { rope_theta: 500, rope_scaling: { type: "linear", factor: 2 } },
      { rope_parameters: { rope_type: "linear", rope_theta: 500, factor: 2 } },
    ],
    [
      { rope_theta: 500, rope_scaling: { rope_type: "llama3", ...llama3 } },
      { rope_parameters: { rope_type: "llama3", rope_theta: 500, ...llama3 } },
    ],
  ] as const;
  for (const [before, now] of pairs) expect(bytes({ ...llama, ...before })).toEqual(bytes({ ...llama, ...now }));
  const different = new Set(pairs.map(([, now]) => String(bytes({ ...llama, ...now }))));
  expect(different.size).toBe(pairs.length);
});

test.each([
  [
    { rope_scaling: { rope_type: "yarn", factor: 4 } },
    /^config.json: rope_scaling.rope_type: yarn cannot be run \(supported: default, linear, llama3\)$/,
  ],
  [{ rope_parameters: { rope_type: "dynamic", factor: 4 } }, /^config.json: rope_parameters.rope_type: /],
  [{ rope_scaling: { type: "linear" } }, /^config.json: rope_scaling.factor: /],
  [
    { rope_parameters: { full_attention: { rope_type: "default" } } },
    /^config.json: rope_parameters.full_attention: parameters by kind of layer cannot be run$/,
  ],
  [{ partial_rotary_factor: 0.5 }, /^config.json: partial_rotary_factor: /],
  [{ num_attention_heads: 5 }, /^config.json: num_attention_heads: must divide hidden_size/],
  [{ num_key_value_heads: 3 }, /^config.json: num_key_value_heads: must divide num_attention_heads/],
  [{ head_dim: 3 }, /^config.json: head_dim: must be even/],
  [
    { architectures: ["Qwen2ForCausalLM"], num_key_value_heads: 2, layer_types: ["sliding_attention"] },
    /^config.json: sliding_window: must be given, because layer_types has sliding_attention/,
  ],
  [
    { architectures: ["Gemma2ForCausalLM"], layer_types: ["full_attention", "full_attention"] },
    /^config.json: layer_types: has 2 entries for 1 layers/,
  ],
  [
    { architectures: ["Gemma2ForCausalLM"], use_bidirectional_attention: true },
    /^config.json: use_bidirectional_attention: /,
  ],
])("what cannot be run is refused: %j", (keys, message) => {
  expect(() => buildModel({ ...llama, ...keys })).toThrow(message);
});

test("GPT-2's own files name their tensors without the model's prefix, and are read so", () => {
  const { graph } = buildModel(published.gpt2);
  const bare = new Set([...graph.weights.keys()].map((name) => name.replace("transformer.", "")));
  expect(bare).toContain("h.0.attn.c_attn.weight");
  expect(new Set(buildModel(published.gpt2, (name) => bare.has(name)).graph.weights.keys())).toEqual(bare);
});
