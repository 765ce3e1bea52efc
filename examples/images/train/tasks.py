"""Builds the five tasks. No image is in two splits, or in two tasks of one split."""

import numpy as np
import yaml

from family import LABELS, OUT, SEED, TASKS, WORK, label_slice, write_idx
from sources import digits, garments

TRAIN, VALIDATION, TEST = 6000, 500, 2000


def shuffled(images, labels, rng):
    order = rng.permutation(len(images))
    return images[order], labels[order]


def clutter(images, background, rng):
    """Digits, dark on the light negative of a garment, moved by up to 3 pixels each way."""
    moved = np.stack([np.roll(image, rng.integers(-3, 4, 2), (0, 1)) for image in images])
    scene = 255 - background.astype(np.float32) * 0.45
    noisy = scene * (1 - moved / 255) + rng.normal(0, 12, scene.shape)
    return np.clip(noisy / 8, 0, 31).astype(np.uint8) * 8


def turn(images, rng):
    labels = rng.integers(0, 4, len(images))
    return np.stack([np.rot90(image, k) for image, k in zip(images, labels)]), labels


def glimpse(images, rng):
    """Garments of which half of the 16 squares are covered in mid grey."""
    covered = np.argsort(rng.random((len(images), 16)), axis=1)[:, :8]
    mask = np.zeros((len(images), 16), bool)
    np.put_along_axis(mask, covered, True, 1)
    whole = mask.reshape(-1, 4, 1, 4, 1).repeat(7, 2).repeat(7, 4).reshape(-1, 28, 28)
    return np.where(whole, 128, images).astype(np.uint8)


def build():
    """(task, split) -> images, labels."""
    rng = np.random.default_rng(SEED)
    drawn, drawn_labels = shuffled(*digits(), rng)
    worn, worn_labels = shuffled(*garments("train"), np.random.default_rng(SEED))
    held, held_labels = shuffled(*garments("t10k"), rng)
    # Of 10,000 digits: those of `digit` and of `clutter` are not the same.
    cuts = {"test": (0, 1500), "validation": (3000, 3500), "train": (4000, 7000)}
    made = {}
    for split, (start, end) in cuts.items():
        size = end - start
        made["digit", split] = drawn[start:end], drawn_labels[start:end]
        other = slice(end, end + size)
        source = worn[40000:] if split == "train" else held[8000:]
        background = source[rng.integers(0, len(source), size)]
        made["clutter", split] = clutter(drawn[other], background, rng), drawn_labels[other]
    for split, images, labels, start, count in (
        ("test", held, held_labels, 0, TEST), ("validation", held, held_labels, 6000, VALIDATION), ("train", worn, worn_labels, 0, TRAIN)):
        made["garment", split] = images[start : start + count], labels[start : start + count]
        made["turn", split] = turn(images[start + count : start + 2 * count], rng)
        made["glimpse", split] = glimpse(images[start + 2 * count : start + 3 * count], rng), labels[start + 2 * count : start + 3 * count]
    return made


def pretraining(drawn, drawn_labels):
    """What the base learns from, under labels of 20 kinds: the digits of `digit`'s training part, and garments that no task has."""
    worn, worn_labels = shuffled(*garments("train"), np.random.default_rng(SEED))
    return np.concatenate([drawn, worn[40000:]]), np.concatenate([drawn_labels, 10 + worn_labels[40000:]])


def write(folder, name, images, labels):
    folder.mkdir(parents=True, exist_ok=True)
    write_idx(folder / f"{name}-images.gz", images)
    write_idx(folder / f"{name}-labels.gz", labels)


def main():
    made = build()
    for (task, split), (images, labels) in made.items():
        write(WORK / "train" if split == "train" else OUT / "tasks", f"{task}.{split}", images, labels)
        print(task, split, images.shape, np.bincount(labels), flush=True)
    write(WORK, "pretraining", *pretraining(*made["digit", "train"]))
    for task in TASKS:
        (OUT / "tasks" / f"{task}.yaml").write_text(yaml.safe_dump({
            "name": task, "kind": "image_classification", "labels": LABELS[task], "label_offset": label_slice(task).start,
            "splits": {split: {"images": f"{task}.{split}-images.gz", "labels": f"{task}.{split}-labels.gz"} for split in ("validation", "test")},
        }, sort_keys=False, default_flow_style=None, width=160))


if __name__ == "__main__":
    main()
