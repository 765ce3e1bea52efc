"""What the family is: where files live, the tasks and their label slices, the architecture, and how a model is scored."""

import copy
import gzip
import json
import os
from pathlib import Path

import numpy as np
import torch
from transformers import ViTConfig, ViTForImageClassification

OUT = Path(os.environ.get("IMAGES_OUT", Path(__file__).resolve().parent.parent))
WORK = Path(os.environ.get("IMAGES_WORK", Path(__file__).resolve().parent / "work"))
SIDE = 28
SEED = 20261127

DIGITS = [str(digit) for digit in range(10)]
GARMENTS = ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot"]
LABELS = {
    "digit": DIGITS,
    "garment": GARMENTS,
    "clutter": DIGITS,
    "turn": ["upright", "left", "upside-down", "right"],
    "glimpse": GARMENTS,
}
TASKS = list(LABELS)
ID2LABEL = dict(enumerate(f"{task}:{label}" for task, labels in LABELS.items() for label in labels))


def label_slice(task):
    start = sum(len(LABELS[t]) for t in TASKS[: TASKS.index(task)])
    return slice(start, start + len(LABELS[task]))


def new_model():
    torch.manual_seed(SEED)
    return ViTForImageClassification(ViTConfig(
        image_size=SIDE, patch_size=7, num_channels=1, hidden_size=64, num_hidden_layers=4, num_attention_heads=4, intermediate_size=256,
        id2label=ID2LABEL, label2id={name: i for i, name in ID2LABEL.items()}, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0))


def load_model(folder):
    return ViTForImageClassification.from_pretrained(folder, dtype=torch.float32).eval()


def save_model(model, folder):
    """Writes a Hugging Face directory with float16 weights."""
    folder = Path(folder)
    half = copy.deepcopy(model).half()
    assert all(torch.isfinite(t).all() for t in half.state_dict().values())
    half.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({
        "image_processor_type": "ViTImageProcessor", "do_convert_rgb": False, "do_resize": True, "size": {"height": SIDE, "width": SIDE}, "resample": 2,
        "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.5], "image_std": [0.5]}, indent=2) + "\n")


def read_idx(path):
    """Bytes as MNIST's files have them: a header of big-endian sizes, then the values."""
    with gzip.open(path) as file:
        rank = file.read(4)[3]
        sizes = np.frombuffer(file.read(4 * rank), ">u4")
        return np.frombuffer(file.read(), np.uint8).reshape(sizes)


def write_idx(path, values):
    header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
    path.write_bytes(gzip.compress(header + np.ascontiguousarray(values, np.uint8).tobytes(), mtime=0))


def pixels(images):
    """uint8 [items, side, side] -> what the model sees, float32 [items, 1, side, side] from -1 to 1."""
    return torch.from_numpy(images.copy()).float()[:, None] / 127.5 - 1


class Split:
    """A split's images and label numbers."""

    def __init__(self, task, split):
        folder = WORK / "train" if split == "train" else OUT / "tasks"
        self.task = task
        self.images = read_idx(folder / f"{task}.{split}-images.gz")
        self.labels = torch.from_numpy(read_idx(folder / f"{task}.{split}-labels.gz").astype(np.int64))

    def __len__(self):
        return len(self.images)

    def batches(self, size, shuffle=None):
        order = np.arange(len(self)) if shuffle is None else torch.randperm(len(self), generator=shuffle).numpy()
        for i in range(0, len(order), size):
            rows = order[i : i + size]
            yield pixels(self.images[rows]), self.labels[rows]


@torch.inference_mode()
def accuracy(model, split):
    model.eval()
    cut = label_slice(split.task)
    return sum(int((model(pixel_values=x).logits[:, cut].argmax(-1) == y).sum()) for x, y in split.batches(500)) / len(split)
