"""Writes choices.json: DF-Merge's Fisher information (arXiv 2504.18992) of the tiny GPT-2 and T5 of tests/golden/transformers on two items of multiple
choice, by PyTorch: l_c is the mean log-likelihood of a choice's tokens, p the softmax of l, and F the mean over items of sum_c p_c (d l_c / d theta)^2."""

import json
from pathlib import Path

import torch
from transformers import GPT2LMHeadModel, T5ForConditionalGeneration

HERE = Path(__file__).resolve().parent
ITEMS = [
    {"prompt": [16, 37, 25, 6], "choices": [[19, 30], [35], [27, 7, 14]]},
    {"prompt": [10, 38], "choices": [[38, 27, 17, 35], [18, 29]]},
]


def of_gpt2(model, prompt, choice):
    ids = torch.tensor([prompt + choice])
    logp = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
    return logp.gather(1, ids[0, 1:, None])[-len(choice) :, 0].mean()


def of_t5(model, prompt, choice):
    targets = torch.tensor([choice])
    logp = model(input_ids=torch.tensor([prompt]), labels=targets).logits[0].log_softmax(-1)
    return logp.gather(1, targets[0, :, None])[:, 0].mean()


def fisher(model, likelihood):
    parameters = dict(model.named_parameters())
    total = {name: torch.zeros_like(p, dtype=torch.float64) for name, p in parameters.items()}
    for item in ITEMS:
        likelihoods = [likelihood(model, item["prompt"], choice) for choice in item["choices"]]
        chances = torch.stack(likelihoods).detach().softmax(0)
        for value, chance in zip(likelihoods, chances):
            grads = torch.autograd.grad(value, list(parameters.values()), retain_graph=True)
            for name, g in zip(parameters, grads):
                total[name] += float(chance) * g.double() ** 2 / len(ITEMS)
    return total


def summary(tensor):
    flat = tensor.flatten()
    places = sorted(set(flat.topk(min(4, len(flat))).indices.tolist() + torch.linspace(0, len(flat) - 1, 8).long().tolist()))
    return {"sum": float(flat.sum()), "norm": float(flat.norm()), "elements": {str(i): float(flat[i]) for i in places}}


def main():
    torch.set_num_threads(1)
    models = HERE.parent / "transformers"
    golden = {"items": ITEMS}
    for name, family, likelihood in [("gpt2", GPT2LMHeadModel, of_gpt2), ("t5", T5ForConditionalGeneration, of_t5)]:
        found = fisher(family.from_pretrained(models / name).eval(), likelihood)
        golden[name] = {tensor: summary(values) for tensor, values in found.items()}
    (HERE / "choices.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
