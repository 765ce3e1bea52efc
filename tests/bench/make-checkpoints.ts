// Makes Llama-shaped checkpoints for benchmarks: a base and experts with small random task vectors, bfloat16, sharded as
// transformers shards. Usage: node tests/bench/make-checkpoints.ts DIRECTORY [--layers 22] [--hidden 2048] [--experts 3]
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { planOutputFiles, type TensorSpec } from "@amalgam/checkpoint";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    layers: { type: "string", default: "22" },
    hidden: { type: "string", default: "2048" },
    intermediate: { type: "string", default: "5632" },
    vocabulary: { type: "string", default: "32000" },
    experts: { type: "string", default: "3" },
  },
});
const [directory] = positionals;
if (directory === undefined)
  throw new Error("usage: make-checkpoints.ts DIRECTORY [--layers 22] [--hidden 2048] [--experts 3]");
const layers = Number(values.layers);
const hidden = Number(values.hidden);
const intermediate = Number(values.intermediate);
const vocabulary = Number(values.vocabulary);
const keyValue = hidden / 8;

const specs: TensorSpec[] = [];
const add = (name: string, ...shape: number[]): void => void specs.push({ name, dtype: "BF16", shape });
add("model.embed_tokens.weight", vocabulary, hidden);
for (let layer = 0; layer < layers; layer++) {
  const prefix = `model.layers.${layer}`;
  add(`${prefix}.input_layernorm.weight`, hidden);
  add(`${prefix}.mlp.down_proj.weight`, hidden, intermediate);
  add(`${prefix}.mlp.gate_proj.weight`, intermediate, hidden);
  add(`${prefix}.mlp.up_proj.weight`, intermediate, hidden);
  add(`${prefix}.post_attention_layernorm.weight`, hidden);
  add(`${prefix}.self_attn.k_proj.weight`, keyValue, hidden);
  add(`${prefix}.self_attn.o_proj.weight`, hidden, hidden);
  add(`${prefix}.self_attn.q_proj.weight`, hidden, hidden);
  add(`${prefix}.self_attn.v_proj.weight`, keyValue, hidden);
}
add("model.norm.weight", hidden);
add("lm_head.weight", vocabulary, hidden);

const config = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  hidden_size: hidden,
  intermediate_size: intermediate,
  num_hidden_layers: layers,
  num_attention_heads: hidden / 64,
  num_key_value_heads: hidden / 512,
  vocab_size: vocabulary,
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  hidden_act: "silu",
  tie_word_embeddings: false,
  torch_dtype: "bfloat16",
  bos_token_id: 1,
  eos_token_id: 2,
};

/** xorshift32: fast and good enough for weights that only have to look like weights. */
const randomBits = (seed: number): (() => number) => {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
};
const asFloat = new Float32Array(1);
const asBits = new Uint32Array(asFloat.buffer);
const toBfloat = (value: number): number => {
  asFloat[0] = value;
  return (asBits[0]! + 0x7fff + ((asBits[0]! >>> 16) & 1)) >>> 16;
};
const uniform = (bits: number): number => bits / 2 ** 31 - 1;

const layout = planOutputFiles(specs, 5_000_000_000);
const names = ["base", ...Array.from({ length: Number(values.experts) }, (_, index) => `expert${index + 1}`)];
for (const [model, name] of names.entries()) {
  const target = join(directory, name);
  mkdirSync(target, { recursive: true });
  writeFileSync(join(target, "config.json"), `${JSON.stringify(config, undefined, 2)}\n`);
  if (layout.index !== undefined) writeFileSync(join(target, "model.safetensors.index.json"), layout.index);
  for (const file of layout.files) {
    const handle = openSync(join(target, file.name), "w");
    writeSync(handle, file.header);
    const base = randomBits(7);
    const delta = randomBits(1000 + model);
    const chunk = new Uint16Array(1 << 22);
    for (let left = (file.fileBytes - file.header.length) / 2; left > 0; left -= chunk.length) {
      const count = Math.min(chunk.length, left);
      for (let i = 0; i < count; i++) {
        const weight = 0.04 * uniform(base());
        const u = uniform(delta());
        // Cubed: few large changes, many small ones, as task vectors have.
        chunk[i] = toBfloat(model === 0 ? weight : weight + 0.004 * u * u * u);
      }
      writeSync(handle, chunk.subarray(0, count));
    }
    closeSync(handle);
  }
  process.stdout.write(`${target}: ${(layout.totalBytes / 1e9).toFixed(2)} GB\n`);
}
