"""The base gets a head (encoder frozen, all tasks jointly); then each expert is the base with every parameter trained on one task."""

import argparse
import itertools
import json
import time

import torch
from torch import nn

from family import OUT, SEED, TASKS, WORK, Encoded, accuracy, label_slice, load_model, new_model, save_model


def loss_of(model, task, ids, mask, labels):
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(input_ids=ids, attention_mask=mask).logits
    return nn.functional.cross_entropy(logits[:, label_slice(task)].float(), labels)


def probe(model, train, steps):
    """A linear probe on the frozen, cached pooled outputs: a few joint steps, so that every slice of the head means something."""
    model.eval()
    pooled, labels = {}, {}
    with torch.inference_mode():
        for task in TASKS:
            parts = [(model.bert(input_ids=ids, attention_mask=mask).pooler_output, y) for ids, mask, y in train[task].batches(256)]
            pooled[task], labels[task] = (torch.cat(column).clone() for column in zip(*parts))
    head = model.classifier
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


def expert(task, train, options):
    seed = SEED + TASKS.index(task) + 1000 * options["seed"]
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = load_model(OUT / "base").train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=options["lr"], weight_decay=0.0, fused=True)
    total = int(options["steps"])
    batches = itertools.chain.from_iterable(train.batches(32, generator) for _ in itertools.count())
    for step, (ids, mask, labels) in zip(range(total), batches):
        rate = options["lr"] * min(1, (step + 1) / (0.06 * total)) * (1 - step / total)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        loss_of(model, task, ids, mask, labels).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", default=["base", *TASKS])
    parser.add_argument("--probe-steps", type=int, default=600)
    parser.add_argument("--lr", type=float, default=5e-4)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--seed", type=int, default=0, help="of the order of the items and of dropout; 0 made the family that is committed")
    args = parser.parse_args()
    train = {task: Encoded(task, "train") for task in TASKS}
    held = {task: Encoded(task, "validation") for task in TASKS}

    def report(name, model, began):
        scores = {task: round(accuracy(model, held[task]), 4) for task in TASKS}
        print(name, f"{time.time() - began:.0f} s, validation:", json.dumps(scores), flush=True)

    if "base" in args.only:
        began = time.time()
        model = new_model()
        model.load_state_dict(torch.load(WORK / "encoder.pt"))
        torch.nn.init.normal_(model.classifier.weight, std=0.02, generator=torch.Generator().manual_seed(SEED))
        probe(model, train, args.probe_steps)
        save_model(model, OUT / "base")
        report("base", model, began)
    for task in TASKS:
        if task in args.only:
            began = time.time()
            model = expert(task, train[task], {"lr": args.lr, "steps": args.steps, "seed": args.seed})
            save_model(model, OUT / f"expert-{task}")
            report(task, model, began)


if __name__ == "__main__":
    main()
