/** ViT (Dosovitskiy et al., 2020) with a classification head, as Hugging Face transformers' ViTForImageClassification names and computes it. */

import { z } from "zod";
import { GraphBuilder } from "../builder.ts";
import { activationNames, firstToken, layerNorm, linear, oneToken } from "../layers.ts";
import { patchCount, patchEmbedding, pixelInput, preNormLayer, withClassToken } from "../vision.ts";
import { headsDivide, imageSides, labelCount, labelKeys, parseConfig, positiveInt } from "./config.ts";
import type { BuiltModel, Family } from "./family.ts";

const vitConfig = z
  .object({
    hidden_size: positiveInt.default(768),
    num_hidden_layers: positiveInt.default(12),
    num_attention_heads: positiveInt.default(12),
    intermediate_size: positiveInt.default(3072),
    hidden_act: z.enum(activationNames).default("gelu"),
    layer_norm_eps: z.number().positive().default(1e-12),
    image_size: imageSides.default([224, 224]),
    patch_size: imageSides.default([16, 16]),
    num_channels: positiveInt.default(3),
    qkv_bias: z.boolean().default(true),
    ...labelKeys,
  })
  .superRefine(headsDivide);

export const vit: Family = { architectures: ["ViTForImageClassification"], build };

function build(json: unknown, architecture: string): BuiltModel {
  const config = parseConfig(vitConfig, json);
  const { hidden_size: hidden, layer_norm_eps: epsilon, num_hidden_layers: layers } = config;
  const labels = labelCount(config);
  const [height, width] = config.image_size;
  const [patchHeight, patchWidth] = config.patch_size;
  const sizes = { channels: config.num_channels, height, width, patchHeight, patchWidth, hidden };
  const g = new GraphBuilder(architecture);

  const patches = patchEmbedding(g, pixelInput(g, sizes), "vit.embeddings.patch_embeddings.projection", sizes);
  const tokens = withClassToken(g, patches, g.weight("vit.embeddings.cls_token", [1, 1, hidden]), patchCount(sizes));
  const places = g.weight("vit.embeddings.position_embeddings", [1, patchCount(sizes) + 1, hidden]);
  let states = g.op("Add", [tokens, places]);
  for (let i = 0; i < layers; i++) {
    const name = `vit.encoder.layer.${i}`;
    const layer = {
      names: {
        attentionNorm: `${name}.layernorm_before`,
        query: `${name}.attention.attention.query`,
        key: `${name}.attention.attention.key`,
        value: `${name}.attention.attention.value`,
        output: `${name}.attention.output.dense`,
        mlpNorm: `${name}.layernorm_after`,
        up: `${name}.intermediate.dense`,
        down: `${name}.output.dense`,
      },
      hidden,
      heads: config.num_attention_heads,
      intermediate: config.intermediate_size,
      activation: config.hidden_act,
      epsilon,
      projectionBias: config.qkv_bias,
    };
    // Only the class token is classified, so the last layer computes no other token's output.
    const only = i === layers - 1 ? firstToken : undefined;
    states = preNormLayer(g, layer, states, undefined, only);
  }
  const classified = oneToken(g, layerNorm(g, states, "vit.layernorm", hidden, epsilon));
  const logits = linear(g, classified, "classifier", hidden, labels);
  const image = { channels: config.num_channels, height, width, tokens: patchCount(sizes) + 1 };
  return { architecture, kind: "image-classification", graph: g, logits, labels, image };
}
