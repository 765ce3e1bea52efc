#!/usr/bin/env python3
"""Writes the golden data of ViT and CLIP beside this file: tiny checkpoints with random weights, and what transformers computes from them.

    python make_vision.py

`expected.json` has the pixels and the logits (image features, for a model that has no classifier), both [items, ...] in float32;
`expected_mean_squared_gradient.safetensors`, of classifiers, the mean over items of (d log p(label) / d parameter)^2, the labels being 0, 1 and 2.
Made with torch 2.15.0 and transformers 5.24.0; run by hand, never by the tests."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPConfig,
    CLIPForImageClassification,
    CLIPModel,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    ViTConfig,
    ViTForImageClassification,
)

here = Path(__file__).parent
items = 3


def randomize(model, seed):
    """Weights large enough to make every layer matter; as transformers initialises them, biases are zero and norms one."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            is_norm = parameter.dim() == 1 and "norm" in name and name.endswith("weight")
            if parameter.dim() > 0:
                parameter.copy_((1 + noise / 10) if is_norm else noise / 5)
    return model.eval()


def mean_squared_gradient(model, pixels, folder):
    """By the names in the checkpoint: those in memory differ, so its values are told apart by what they are."""
    squares = {}
    for label, item in enumerate(pixels):
        model.zero_grad()
        model(item[None]).logits.log_softmax(-1)[0, label].backward()
        for name, parameter in model.named_parameters():
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            squares[name] = squares.get(name, 0) + gradient.square() / len(pixels)
    stored = load_file(folder / "model.safetensors")
    named = {}
    for name, parameter in model.named_parameters():
        same = [key for key, value in stored.items() if value.shape == parameter.shape and value.equal(parameter)]
        named[same[0]] = squares[name]
    return named


def write(name, model, channels, height, width):
    pixels = torch.randn((items, channels, height, width), generator=torch.Generator().manual_seed(7))
    with torch.inference_mode():
        if isinstance(model, CLIPModel):
            logits = model.get_image_features(pixels).pooler_output
        elif isinstance(model, CLIPVisionModelWithProjection):
            logits = model(pixels).image_embeds
        else:
            logits = model(pixels).logits
    folder = here / name
    model.save_pretrained(folder)
    expected = {"pixel_values": pixels.tolist(), "logits": logits.tolist()}
    if isinstance(model, CLIPModel):
        # A zero-shot head is the text tower's side of the cosines, times the scale.
        ids = torch.tensor([[18, 3, 19, 19], [18, 4, 5, 19], [18, 7, 19, 19], [18, 2, 2, 19]])
        with torch.inference_mode():
            texts = model.get_text_features(ids, attention_mask=torch.ones_like(ids)).pooler_output
            head = model.logit_scale.exp() * texts / texts.norm(dim=-1, keepdim=True)
            outputs = model(input_ids=ids, pixel_values=pixels, attention_mask=torch.ones_like(ids))
        save_file({"weight": head.contiguous()}, folder / "head.safetensors")
        expected["logits_per_image"] = outputs.logits_per_image.tolist()
    if not isinstance(model, (CLIPModel, CLIPVisionModelWithProjection)):
        save_file(mean_squared_gradient(model, pixels, folder), folder / "expected_mean_squared_gradient.safetensors")
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")


tower = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}
vit = ViTConfig(**tower, image_size=[8, 10], patch_size=[4, 3], num_channels=1, num_labels=3)
write("vit", randomize(ViTForImageClassification(vit), 1), 1, 8, 10)
square = {**tower, "image_size": 8, "patch_size": 4, "num_channels": 3, "projection_dim": 6}
texts = {**tower, "num_hidden_layers": 1, "vocab_size": 20, "max_position_embeddings": 8, "projection_dim": 6}
texts |= {"bos_token_id": 18, "eos_token_id": 19}
clip = CLIPConfig(vision_config=square, text_config=texts, projection_dim=6, num_labels=3)
write("clip", randomize(CLIPForImageClassification(clip), 2), 3, 8, 8)
write("clip-features", randomize(CLIPModel(clip), 3), 3, 8, 8)
