"""The base: a small ViT that learned to tell 20 kinds of things, and how they are turned, from images moved, turned, inverted and
covered at random; then, encoder frozen, a linear probe on all tasks jointly."""

import argparse
import json
import time

import numpy as np
import torch
from torch import nn

from family import OUT, SEED, SIDE, TASKS, WORK, Split, accuracy, label_slice, new_model, pixels, read_idx, save_model


def augmented(images, generator):
    """Images as the model sees them, and by how many quarters each is turned."""
    x = pixels(images)
    count = len(x)

    def some(share):
        return torch.rand(count, generator=generator) < share

    x = x.roll(torch.randint(-3, 4, (2,), generator=generator).tolist(), (2, 3))
    turns = torch.randint(0, 4, (count,), generator=generator) * some(0.5)
    for quarters in (1, 2, 3):
        x[turns == quarters] = x[turns == quarters].rot90(quarters, (2, 3))
    covered = (torch.rand(count, 1, 4, 4, generator=generator) < 0.3) & some(0.3)[:, None, None, None]
    x = torch.where(nn.functional.interpolate(covered.float(), SIDE) > 0.5, 0.0, x)
    inverted = some(0.3)
    x[inverted] = -x[inverted]
    return x + 0.1 * some(0.3)[:, None, None, None] * torch.randn(x.shape, generator=generator), turns


def pretrain(model, steps, rate):
    images = read_idx(WORK / "pretraining-images.gz")
    labels = torch.from_numpy(read_idx(WORK / "pretraining-labels.gz").astype(np.int64))
    # As many digits as garments.
    weights = torch.where(labels < 10, 1 / (labels < 10).sum(), 1 / (labels >= 10).sum())
    generator = torch.Generator().manual_seed(SEED)
    kind, turn = nn.Linear(64, 20), nn.Linear(64, 4)
    parameters = [*model.vit.parameters(), *kind.parameters(), *turn.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps + 1, pct_start=0.1)
    began, seen = time.time(), []
    model.train()
    for step in range(1, steps + 1):
        rows = torch.multinomial(weights, 128, replacement=True, generator=generator)
        x, turns = augmented(images[rows.numpy()], generator)
        states = model.vit(pixel_values=x).last_hidden_state[:, 0]
        loss = nn.functional.cross_entropy(kind(states), labels[rows]) + 0.5 * nn.functional.cross_entropy(turn(states), turns)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        seen.append(loss.item())
        if step % 200 == 0:
            print(f"step {step} of {steps}: {np.mean(seen):.4f}, {time.time() - began:.0f} s", flush=True)
            seen = []


def probe(model, steps):
    model.eval()
    pooled, labels = {}, {}
    with torch.inference_mode():
        for task in TASKS:
            parts = [(model.vit(pixel_values=x).last_hidden_state[:, 0], y) for x, y in Split(task, "train").batches(500)]
            pooled[task], labels[task] = (torch.cat(column).clone() for column in zip(*parts))
    head = model.classifier
    nn.init.normal_(head.weight, std=0.02, generator=torch.Generator().manual_seed(SEED))
    optimizer = torch.optim.AdamW(head.parameters(), lr=5e-3, weight_decay=0.01)
    generator = torch.Generator().manual_seed(SEED)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 5e-3 * (1 - step / steps)
        loss = 0
        for task in TASKS:
            rows = torch.randint(len(labels[task]), (256,), generator=generator)
            loss = loss + nn.functional.cross_entropy(head(pooled[task][rows])[:, label_slice(task)], labels[task][rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--probe-steps", type=int, default=600)
    args = parser.parse_args()
    model = new_model()
    pretrain(model, args.steps, args.lr)
    probe(model, args.probe_steps)
    save_model(model, OUT / "base")
    print("base", json.dumps({task: round(accuracy(model, Split(task, "validation")), 4) for task in TASKS}), flush=True)


if __name__ == "__main__":
    main()
