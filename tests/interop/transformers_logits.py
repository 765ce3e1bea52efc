#!/usr/bin/env python3
"""Run by hand: scores a BERT-family classifier with Hugging Face transformers, to hold our evaluator to it.

    python transformers_logits.py MODEL_DIR ITEMS.jsonl TASK.yaml -o theirs.json
    npx amalgam eval MODEL_DIR --task TASK.yaml --split SPLIT --logits ours.json
    python transformers_logits.py MODEL_DIR ITEMS.jsonl TASK.yaml --compare ours.json

ITEMS.jsonl is the file of the task's SPLIT. Both answers are {"items": [{"text": ..., "logits": [...]}]}, the logits being either all of the classifier's or the task's slice.
Needs: torch, transformers, pyyaml (examples/quickstart/train/requirements.txt pins versions that work).
Exit status: 0 within the tolerance, 1 beyond it, 2 when the two files do not speak of the same items."""

import argparse
import json
import sys
from pathlib import Path

import torch
import yaml
from transformers import AutoModelForSequenceClassification, AutoTokenizer


@torch.inference_mode()
def logits_of(folder, texts, max_tokens, batch):
    """All texts' logits in float32, whatever the stored dtype; batches of similar length, answers in the given order."""
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    found = [None] * len(texts)
    for start in range(0, len(order), batch):
        group = order[start : start + batch]
        fed = tokenizer([texts[i] for i in group], truncation=True, max_length=max_tokens, padding=True, return_tensors="pt")
        for i, row in zip(group, model(**fed).logits):
            found[i] = row.tolist()
    return found


def compare(theirs, ours, cut):
    """The largest absolute difference of a logit, and how many items get another label; None when the items differ."""
    if [item["text"] for item in theirs] != [item["text"] for item in ours]:
        return None
    worst, flips = 0.0, 0
    for a, b in zip(theirs, ours):
        left, right = torch.tensor(a["logits"]), torch.tensor(b["logits"])
        sliced = len(right) == cut.stop - cut.start
        if sliced:
            left = left[cut]
        if len(left) != len(right):
            return None
        difference = float((left - right).abs().max())
        worst = max(worst, difference if difference == difference else float("inf"))
        if not sliced:
            left, right = left[cut], right[cut]
        flips += int(left.argmax() != right.argmax())
    return worst, flips


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("items")
    parser.add_argument("task")
    parser.add_argument("-o", "--output")
    parser.add_argument("--compare")
    parser.add_argument("--tolerance", type=float, default=1e-5)
    parser.add_argument("--batch", type=int, default=64)
    args = parser.parse_args()
    task = yaml.safe_load(Path(args.task).read_text())
    items = [json.loads(line) for line in Path(args.items).read_text().splitlines() if line.strip()]
    texts = [item["text"] for item in items]
    cut = slice(task.get("label_offset", 0), task.get("label_offset", 0) + len(task["labels"]))
    logits = logits_of(args.model, texts, task.get("max_tokens", 32), args.batch)
    right = sum(task["labels"][int(torch.tensor(row[cut]).argmax())] == item["label"] for row, item in zip(logits, items))
    print(f"{task['name']}: {right} of {len(items)} right, accuracy {right / len(items):.4f}")
    theirs = [{"text": text, "logits": row} for text, row in zip(texts, logits)]
    if args.output:
        Path(args.output).write_text(json.dumps({"items": theirs, "accuracy": right / len(items)}))
    if args.compare:
        found = compare(theirs, json.loads(Path(args.compare).read_text())["items"], cut)
        if found is None:
            print("the two files do not hold the same items or as many logits", file=sys.stderr)
            return 2
        print(f"largest difference of a logit {found[0]:.3g} (tolerance {args.tolerance:g}), {found[1]} items labelled differently")
        return 0 if found[0] <= args.tolerance else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
