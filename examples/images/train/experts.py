"""Each expert is the base with every parameter trained on one task."""

import argparse
import itertools
import json
import time

import torch
from torch import nn

from family import OUT, SEED, TASKS, Split, accuracy, label_slice, load_model, save_model


def expert(task, options):
    seed = SEED + TASKS.index(task) + 1000 * options.seed
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = load_model(OUT / "base").train()
    train = Split(task, "train")
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.lr, weight_decay=0.0)
    batches = itertools.chain.from_iterable(train.batches(64, generator) for _ in itertools.count())
    for step, (x, y) in zip(range(options.steps), batches):
        rate = options.lr * min(1, (step + 1) / (0.06 * options.steps)) * (1 - step / options.steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = nn.functional.cross_entropy(model(pixel_values=x).logits[:, label_slice(task)], y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", default=TASKS)
    parser.add_argument("--lr", type=float, default=5e-4)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0, help="of the order of the items; 0 made the family that is committed")
    args = parser.parse_args()
    held = {task: Split(task, "validation") for task in TASKS}
    for task in args.only:
        began = time.time()
        model = expert(task, args)
        save_model(model, OUT / f"expert-{task}")
        print(task, f"{time.time() - began:.0f} s, validation:", json.dumps({t: round(accuracy(model, held[t]), 4) for t in TASKS}), flush=True)


if __name__ == "__main__":
    main()
