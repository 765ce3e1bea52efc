"""The exact diagonal Fisher information of each expert on its own task, over its own labels:
F = (1/N) sum_x sum_y p(y|x) (d log p(y|x) / d theta)^2, from N training items, one example at a time, dropout off."""

import argparse
import time

import torch
from safetensors.torch import save_file

from family import OUT, SEED, TASKS, Encoded, label_slice, load_model


def fisher(model, task, count):
    model.eval()
    data = Encoded(task, "train")
    picked = torch.randperm(len(data.ids), generator=torch.Generator().manual_seed(SEED))[:count].tolist()
    parameters = dict(model.named_parameters())
    total = {name: torch.zeros_like(p) for name, p in parameters.items()}
    for k in picked:
        ids = torch.tensor([data.ids[k]])
        logp = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, label_slice(task)].log_softmax(-1)
        chance = logp.detach().exp()
        for y in range(len(logp)):
            if chance[y] < 1e-6:
                continue
            grads = torch.autograd.grad(logp[y], list(parameters.values()), retain_graph=y + 1 < len(logp))
            for name, g in zip(parameters, grads):
                total[name].addcmul_(g, g, value=float(chance[y]) / len(picked))
    return total


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=512)
    args = parser.parse_args()
    for task in TASKS:
        began = time.time()
        folder = OUT / f"expert-{task}"
        diagonal = fisher(load_model(folder), task, args.items)
        stored = {name: t.to(torch.bfloat16).contiguous() for name, t in diagonal.items()}
        lost = sum(int(((t > 0) & (stored[name] == 0)).sum()) for name, t in diagonal.items())
        zero = sum(int((t == 0).sum()) for t in diagonal.values())
        save_file(stored, folder / "fisher.safetensors", metadata={
            "format": "pt", "task": task, "items": str(args.items), "split": "train", "estimator": "exact expectation over the task's labels"})
        print(task, f"{time.time() - began:.0f} s, sum {sum(float(t.sum()) for t in diagonal.values()):.4g}, zero {zero}, lost to bfloat16 {lost}", flush=True)


if __name__ == "__main__":
    main()
