"""A plain simulation of the merges, to know what the product should show. Everything is chosen on validation, then tested once."""

import argparse
import json
import random
import time

import torch
from safetensors.torch import load_file

from family import OUT, SEED, TASKS, Encoded, accuracy, load_model


class Family:
    def __init__(self, limit=None):
        self.model = load_model(OUT / "base")
        self.names = list(self.model.state_dict())
        self.shapes = {name: t.shape for name, t in self.model.state_dict().items()}
        self.base = self.flat(OUT / "base/model.safetensors")
        self.deltas = torch.stack([self.flat(OUT / f"expert-{t}/model.safetensors") - self.base for t in TASKS])
        self.fisher = torch.stack([self.flat(OUT / f"expert-{t}/fisher.safetensors") for t in TASKS])
        self.data = {split: {t: Encoded(t, split, limit if split == "validation" else None) for t in TASKS} for split in ("validation", "test")}
        for splits in self.data.values():
            for data in splits.values():
                kept = list(data.batches(128))
                data.batches = lambda size, kept=kept: kept

    def flat(self, path):
        stored = load_file(path)
        return torch.cat([stored[name].float().reshape(-1) for name in self.names])

    def score(self, vector, split):
        parts = vector.half().float().split([self.shapes[n].numel() for n in self.names])
        self.model.load_state_dict({n: p.view(self.shapes[n]) for n, p in zip(self.names, parts)})
        scores = {t: accuracy(self.model, self.data[split][t]) for t in TASKS}
        return sum(scores.values()) / len(TASKS), scores

    def linear(self, weights):
        return self.base + (torch.tensor(weights)[:, None] * self.deltas).sum(0)

    def weighted(self, weights, fisher):
        """theta_0 + M sum(F_i lambda_i tau_i) / sum(F_i)"""
        importance = fisher.double() + 1e-12
        top = (importance * torch.tensor(weights).double()[:, None] * self.deltas.double()).sum(0)
        return self.base + (len(TASKS) * top / importance.sum(0)).float()

    def ties(self, keep, scale):
        count = int(self.deltas.shape[1] * keep)
        cuts = self.deltas.abs().kthvalue(self.deltas.shape[1] - count, dim=1, keepdim=True).values
        trimmed = torch.where(self.deltas.abs() >= cuts, self.deltas, 0)
        sign = trimmed.sum(0).sign()
        agreeing = torch.where(trimmed.sign() == sign, trimmed, 0)
        return self.base + scale * agreeing.sum(0) / (agreeing != 0).sum(0).clamp(min=1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--test", action="store_true", help="also test; without it only validation is read")
    parser.add_argument("--limit", type=int, help="read only so many validation items of each task")
    args = parser.parse_args()
    f = Family(args.limit)
    norms = f.fisher.norm(dim=1, keepdim=True)
    cosines = torch.nn.functional.normalize(f.deltas, dim=1)
    print("delta / base norm:", [round(float(d.norm() / f.base.norm()), 3) for d in f.deltas])
    print("cosines of deltas:\n", (cosines @ cosines.T).numpy().round(3), "\nFisher norms:", norms.flatten().tolist(), flush=True)
    rows = []

    def report(name, candidates):
        began = time.time()
        label, vector, mean, scores = None, None, -1.0, {}
        for trial, build in candidates:
            made = build()
            got = f.score(made, "validation")
            if got[0] > mean:
                label, vector, mean, scores = trial, made, *got
        line = {"method": name, "chosen": label, "validation": round(mean, 4), "per task": {t: round(s, 3) for t, s in scores.items()}}
        if args.test:
            tested, parts = f.score(vector, "test")
            variance = sum(p * (1 - p) / len(f.data["test"][t].ids) for t, p in parts.items())
            line |= {"test": round(tested, 4), "se": round(variance**0.5 / len(TASKS), 4), "test per task": {t: round(s, 3) for t, s in parts.items()}}
        rows.append(line | {"seconds": round(time.time() - began, 1)})
        print(json.dumps(rows[-1]), flush=True)

    quarter = [1 / len(TASKS)] * len(TASKS)
    report("base", [("", lambda: f.base)])
    for i, task in enumerate(TASKS):
        report(f"expert-{task}", [("", lambda i=i: f.base + f.deltas[i])])
    report("average", [("", lambda: f.linear(quarter))])
    grid = [k / 20 for k in range(2, 21)]
    report("task arithmetic", [(s, lambda s=s: f.linear([s] * len(TASKS))) for s in grid])
    report("ties", [((k, s), lambda k=k, s=s: f.ties(k, s)) for k in (0.1, 0.2, 0.4) for s in (0.6, 0.8, 1, 1.25, 1.5, 2)])
    report("fisher", [("", lambda: f.weighted(quarter, f.fisher))])
    report("fisher normalised", [("", lambda: f.weighted(quarter, f.fisher / norms))])
    for name, high, build in (("linear searched", 1.0, f.linear), ("fisher searched", 1.0, lambda w: f.weighted(w, f.fisher)),
                              ("fisher normalised searched", 1.0, lambda w: f.weighted(w, f.fisher / norms))):
        rng = random.Random(SEED)
        tried = [quarter] + [[rng.uniform(0, high) for _ in TASKS] for _ in range(args.trials - 1)]
        report(name, [([round(x, 3) for x in w], lambda w=w: build(w)) for w in tried])


if __name__ == "__main__":
    main()
