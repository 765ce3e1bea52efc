"""Reads the two packages: 10,000 digits of MNIST and 70,000 images of Fashion-MNIST, as uint8 [items, 28, 28] and label numbers."""

import json

import numpy as np

from family import SIDE, WORK, read_idx

RAW = WORK / "raw"


def digits():
    images, labels = [], []
    for digit in range(10):
        flat = json.loads((RAW / "mnist/src/digits" / f"{digit}.json").read_text())["data"]
        images.append(np.round(np.array(flat) * 255).astype(np.uint8).reshape(-1, SIDE, SIDE))
        labels.append(np.full(len(images[-1]), digit))
    return np.concatenate(images), np.concatenate(labels)


def garments(part):
    """Of `part` train (60,000) or t10k (10,000)."""
    folder = RAW / "fashion/usr/share/datasets/fashion-mnist"
    return read_idx(folder / f"{part}-images-idx3-ubyte.gz"), read_idx(folder / f"{part}-labels-idx1-ubyte.gz").astype(np.int64)
