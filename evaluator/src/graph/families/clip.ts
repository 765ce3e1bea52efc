/**
 * CLIP's vision tower (Radford et al., 2021), as Hugging Face transformers names and computes it: with a trained classifier
 * (CLIPForImageClassification), or ending in image features, projected where the model has a projection, for a zero-shot head.
 */

import { z } from "zod";
import { int } from "../attributes.ts";
import { GraphBuilder, type Value } from "../builder.ts";
import { activationNames, firstToken, layerNorm, linear, oneToken } from "../layers.ts";
import { type PatchSizes, patchCount, patchEmbedding, pixelInput, preNormLayer, withClassToken } from "../vision.ts";
import { headsDivide, imageSides, labelCount, labelKeys, parseConfig, positiveInt } from "./config.ts";
import type { BuiltModel, Family } from "./family.ts";

const visionConfig = z
  .object({
    hidden_size: positiveInt.default(768),
    intermediate_size: positiveInt.default(3072),
    projection_dim: positiveInt.default(512),
    num_hidden_layers: positiveInt.default(12),
    num_attention_heads: positiveInt.default(12),
    num_channels: positiveInt.default(3),
    image_size: imageSides.default([224, 224]),
    patch_size: imageSides.default([32, 32]),
    hidden_act: z.enum(activationNames).default("quick_gelu"),
    layer_norm_eps: z.number().positive().default(1e-5),
  })
  .superRefine(headsDivide);

type VisionConfig = z.infer<typeof visionConfig>;

/** What both towers are wrapped in; a tower alone is described by its own keys. */
const clipConfig = z.object({
  vision_config: visionConfig.default(visionConfig.parse({})),
  projection_dim: positiveInt.default(512),
  ...labelKeys,
});

export const clip: Family = {
  architectures: ["CLIPForImageClassification", "CLIPModel", "CLIPVisionModel", "CLIPVisionModelWithProjection"],
  build,
};

function build(json: unknown, architecture: string): BuiltModel {
  const g = new GraphBuilder(architecture);
  switch (architecture) {
    case "CLIPForImageClassification": {
      const config = parseConfig(clipConfig, json);
      const labels = labelCount(config);
      const patches = dropFirst(g, tower(g, config.vision_config));
      const mean = g.op("ReduceMean", [patches, g.int64s(1)], { keepdims: int(0) });
      const logits = linear(g, mean, "classifier", config.vision_config.hidden_size, labels);
      const image = imageOf(config.vision_config);
      return { architecture, kind: "image-classification", graph: g, logits, labels, image };
    }
    case "CLIPModel": {
      const { vision_config, projection_dim } = parseConfig(clipConfig, json);
      return featuresOf(g, architecture, vision_config, projection_dim);
    }
    case "CLIPVisionModel":
      return featuresOf(g, architecture, parseConfig(visionConfig, json), undefined);
    default: {
      const config = parseConfig(visionConfig, json);
      return featuresOf(g, architecture, config, config.projection_dim);
    }
  }
}

/** The class token's features; a number of projected ones where there is a projection. */
function featuresOf(
  g: GraphBuilder,
  architecture: string,
  config: VisionConfig,
  projected: number | undefined,
): BuiltModel {
  const { hidden_size: hidden, layer_norm_eps: epsilon } = config;
  const token = oneToken(g, tower(g, config, firstToken));
  const pooled = layerNorm(g, token, "vision_model.post_layernorm", hidden, epsilon);
  const logits =
    projected === undefined ? pooled : linear(g, pooled, "visual_projection", hidden, projected, { bias: false });
  const features = projected ?? hidden;
  return { architecture, kind: "image-features", graph: g, logits, features, image: imageOf(config) };
}

/** All tokens after the last layer, or those that `only` picks of them. */
function tower(g: GraphBuilder, config: VisionConfig, only?: (g: GraphBuilder, x: Value) => Value): Value {
  const { hidden_size: hidden, layer_norm_eps: epsilon, num_hidden_layers: layers } = config;
  const sizes = { ...sizesOf(config), hidden };
  const embeddings = "vision_model.embeddings";
  const bias = { bias: false };
  const patches = patchEmbedding(g, pixelInput(g, sizes), `${embeddings}.patch_embedding`, sizes, bias);
  const token = g.op("Reshape", [g.weight(`${embeddings}.class_embedding`, [hidden]), g.int64s(1, 1, hidden)]);
  const tokens = withClassToken(g, patches, token, patchCount(sizes));
  const places = g.weight(`${embeddings}.position_embedding.weight`, [patchCount(sizes) + 1, hidden]);
  let states = layerNorm(g, g.op("Add", [tokens, places]), "vision_model.pre_layrnorm", hidden, epsilon);
  for (let i = 0; i < layers; i++) {
    const name = `vision_model.encoder.layers.${i}`;
    const layer = {
      names: {
        attentionNorm: `${name}.layer_norm1`,
        query: `${name}.self_attn.q_proj`,
        key: `${name}.self_attn.k_proj`,
        value: `${name}.self_attn.v_proj`,
        output: `${name}.self_attn.out_proj`,
        mlpNorm: `${name}.layer_norm2`,
        up: `${name}.mlp.fc1`,
        down: `${name}.mlp.fc2`,
      },
      hidden,
      heads: config.num_attention_heads,
      intermediate: config.intermediate_size,
      activation: config.hidden_act,
      epsilon,
    };
    states = preNormLayer(g, layer, states, undefined, i === layers - 1 ? only : undefined);
  }
  return states;
}

function dropFirst(g: GraphBuilder, x: Value): Value {
  return g.op("Slice", [x, g.int64s(1), g.int64s(Number.MAX_SAFE_INTEGER), g.int64s(1)]);
}

function sizesOf({ num_channels: channels, image_size, patch_size }: VisionConfig): Omit<PatchSizes, "hidden"> {
  const [height, width] = image_size;
  const [patchHeight, patchWidth] = patch_size;
  return { channels, height, width, patchHeight, patchWidth };
}

function imageOf(config: VisionConfig): NonNullable<BuiltModel["image"]> {
  const { channels, height, width } = sizesOf(config);
  return { channels, height, width, tokens: patchCount(sizesOf(config)) + 1 };
}
