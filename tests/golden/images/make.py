#!/usr/bin/env python3
"""Writes small images beside this file, and what transformers' image processors (on Pillow) make of them.

    python make.py

`cases.json`: for each case the image, the `preprocessor_config.json`, and the channels and size the model takes; `expected.safetensors`: the
pixel values of each case by its name, float32 [channels, height, width]. Made with transformers 5.24.0 and Pillow 12.0.0; run by hand, never by
the tests. (Pillow 13 resizes the rows of some images first, which moves a few values by a step of rounding.)"""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

here = Path(__file__).parent
random = np.random.default_rng(5)


def picture(height, width, channels):
    """Waves with some noise: every value occurs, and edges of both kinds."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 110 * np.sin(x / 3 + channel) * np.cos(y / 4 - channel) for channel in range(channels)]
    return np.clip(np.stack(waves, -1) + random.normal(0, 15, (height, width, channels)), 0, 255).astype(np.uint8)


Image.fromarray(picture(30, 41, 3)).save(here / "rgb.png")
Image.fromarray(picture(30, 41, 3)).save(here / "rgb.jpg", quality=90)
Image.fromarray(picture(37, 22, 3)).save(here / "rgb.webp", quality=90)
Image.fromarray(picture(12, 12, 1)[..., 0]).save(here / "grey.png")
Image.fromarray(picture(20, 16, 4)).save(here / "rgba.png")
Image.fromarray(picture(20, 16, 3)).convert("P", palette=Image.ADAPTIVE).save(here / "palette.gif")

vit = {"image_processor_type": "ViTImageProcessor"}
clip = {"image_processor_type": "CLIPImageProcessor"}
square = {"height": 12, "width": 12}
cases = {
    "vit": ("rgb.png", 3, {**vit, "size": square}),
    "vit, not square, lanczos": ("rgb.jpg", 3, {**vit, "size": {"height": 9, "width": 14}, "resample": 1}),
    "vit, grey, nothing to resize": (
        "grey.png",
        1,
        {**vit, "size": square, "image_mean": [0.1307], "image_std": [0.3081]},
    ),
    "vit, grey of colours": ("rgb.jpg", 1, {**vit, "size": square, "image_mean": [0.5], "image_std": [0.5]}),
    "vit, as it is": ("grey.png", 1, {**vit, "do_resize": False, "do_normalize": False}),
    "clip": ("rgb.jpg", 3, {**clip, "size": {"shortest_edge": 12}, "crop_size": square}),
    "clip, upright": ("rgb.webp", 3, {**clip, "size": {"shortest_edge": 12}, "crop_size": square}),
    "clip, old keys": ("rgba.png", 3, {"feature_extractor_type": "CLIPFeatureExtractor", "size": 14, "crop_size": 9}),
    "clip, cropped beyond the edges": (
        "palette.gif",
        3,
        {**clip, "size": {"shortest_edge": 10}, "crop_size": {"height": 15, "width": 13}, "resample": 0},
    ),
    "clip, larger, of grey": ("grey.png", 3, {**clip, "size": {"shortest_edge": 21}, "crop_size": {"height": 18, "width": 18}}),
}
expected = {}
listed = {}
for name, (file, channels, config) in cases.items():
    kind = config.get("image_processor_type", config.get("feature_extractor_type"))
    processor = (CLIPImageProcessorPil if kind.startswith("CLIP") else ViTImageProcessorPil)(**config)
    image = Image.open(here / file).convert("RGB" if channels == 3 else "L")
    if channels == 1:
        processor.do_convert_rgb = None
    pixels = np.asarray(processor(image, return_tensors="np")["pixel_values"][0], dtype=np.float32)
    expected[name] = pixels
    listed[name] = {"image": file, "config": config, "shape": list(pixels.shape)}
save_file(expected, here / "expected.safetensors")
(here / "cases.json").write_text(json.dumps(listed, indent=2) + "\n")
