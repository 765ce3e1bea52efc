import { expect, test } from "vitest";
import { isBeforeLayers, layerPlace, moduleNamed, modulesOf } from "./modules.ts";

const seen = (names: readonly string[]) =>
  modulesOf(names).map(({ name, stack, layers, outside }) => [name, stack, layers.size, outside]);

test("a model with one stack of layers is one module", () => {
  expect(seen(["lm_head.weight", "model.layers.0.q", "model.layers.1.mlp.experts.3.w", "model.norm.weight"])).toEqual([
    ["default", "model.layers", 2, ["lm_head.weight", "model.norm.weight"]],
  ]);
  expect(seen(["embed.weight", "head.weight"])).toEqual([["default", undefined, 0, ["embed.weight", "head.weight"]]]);
});

test("T5 is an encoder, a decoder with the head, and what they share", () => {
  const names = [
    "shared.weight",
    "lm_head.weight",
    "encoder.block.0.layer.0.SelfAttention.q.weight",
    "encoder.final_layer_norm.weight",
    "decoder.block.0.layer.1.EncDecAttention.q.weight",
    "decoder.block.1.layer.1.EncDecAttention.q.weight",
    "decoder.embed_tokens.weight",
  ];
  expect(seen(names)).toEqual([
    ["shared", undefined, 0, ["shared.weight"]],
    ["decoder", "decoder.block", 2, ["lm_head.weight", "decoder.embed_tokens.weight"]],
    ["encoder", "encoder.block", 1, ["encoder.final_layer_norm.weight"]],
  ]);
});

test("a vision-language model is named by what tells its stacks apart, nested or not", () => {
  const names = [
    "model.vision_tower.vision_model.encoder.layers.0.w",
    "model.vision_tower.vision_model.embeddings.w",
    "model.multi_modal_projector.linear_1.weight",
    "model.language_model.layers.0.w",
    "model.language_model.norm.weight",
    "lm_head.weight",
    "model.image_newline",
  ];
  expect(seen(names).map(([name]) => name)).toEqual([
    "model.vision_tower",
    "model.multi_modal_projector",
    "model.language_model",
    "model.image_newline",
  ]);
  const modules = modulesOf(names);
  expect(moduleNamed(modules, "model.language_model")?.outside).toEqual([
    "model.language_model.norm.weight",
    "lm_head.weight",
  ]);
  expect(moduleNamed(modules, "text_decoder")?.name).toBe("model.language_model");
  expect(moduleNamed(modules, "vision_tower")?.name).toBe("model.vision_tower");
  expect(moduleNamed(modules, "tower")).toBeUndefined();
});

test("every tensor is in one module, whatever the names", () => {
  const names = [
    "a.0.w",
    "a.b.0.w",
    "a",
    "a.b",
    "a.b.c",
    "0.w",
    "__proto__.1.x",
    "constructor",
    "a.99999999999999999999.w",
  ];
  const modules = modulesOf(names);
  const all = modules.flatMap(({ layers, outside }) => [...outside, ...[...layers.values()].flat()]);
  expect(all.toSorted()).toEqual(names.toSorted());
  expect(layerPlace("a.99999999999999999999.w")).toBeUndefined();
});

test("embeddings come before the layers; final norms, heads and poolers follow", () => {
  for (const name of [
    "model.embed_tokens.weight",
    "transformer.wte.weight",
    "bert.embeddings.LayerNorm.weight",
    "transformer.rotary_pos_emb.inv_freq",
    "vision_model.pre_layrnorm.weight",
    "model.tok_embeddings.weight",
  ])
    expect(isBeforeLayers(name), name).toBe(true);
  for (const name of [
    "model.norm.weight",
    "lm_head.weight",
    "embed_out.weight",
    "bert.pooler.dense.weight",
    "classifier.weight",
    "gpt_neox.final_layer_norm.weight",
    "ensemble.weight",
  ])
    expect(isBeforeLayers(name), name).toBe(false);
});
