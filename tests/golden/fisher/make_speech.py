"""Writes speech.json: the exact and the empirical Fisher information of the quickstart's expert for parts of speech, by PyTorch, one example
and one label at a time. Items are the first of its validation file. Needs torch, tokenizers and safetensors."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import BertConfig, BertForSequenceClassification

HERE = Path(__file__).resolve().parent
FAMILY = HERE.parents[2] / "examples" / "quickstart"
EXPERT = FAMILY / "expert-speech"
ITEMS = 6
OFFSET, LABELS = 31, ["adjective", "adverb", "determiner", "noun", "preposition", "pronoun", "proper-noun", "verb"]
MAX_TOKENS = 32


def main():
    torch.set_num_threads(1)
    model = BertForSequenceClassification(BertConfig.from_json_file(EXPERT / "config.json")).eval()
    model.load_state_dict({name: t.float() for name, t in load_file(EXPERT / "model.safetensors").items()})
    tokenizer = Tokenizer.from_file(str(EXPERT / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    parameters = dict(model.named_parameters())
    sums = {kind: {name: torch.zeros_like(p, dtype=torch.float64) for name, p in parameters.items()} for kind in ("exact", "empirical")}
    lines = (FAMILY / "tasks" / "speech.validation.jsonl").read_text().splitlines()[:ITEMS]
    for row in map(json.loads, lines):
        encoding = tokenizer.encode(row["text"], row.get("text_pair"))
        logits = model(
            input_ids=torch.tensor([encoding.ids]),
            token_type_ids=torch.tensor([encoding.type_ids]),
            attention_mask=torch.ones(1, len(encoding.ids)),
        ).logits[0, OFFSET : OFFSET + len(LABELS)]
        logp = logits.log_softmax(-1)
        for label in range(len(LABELS)):
            grads = torch.autograd.grad(logp[label], list(parameters.values()), retain_graph=True)
            for name, g in zip(parameters, grads):
                sums["exact"][name] += float(logp[label].detach().exp()) * g.double() ** 2
                if LABELS[label] == row["label"]:
                    sums["empirical"][name] += g.double() ** 2
    golden = {"items": ITEMS}
    for kind, tensors in sums.items():
        golden[kind] = {}
        for name, total in tensors.items():
            mean = (total / ITEMS).flatten()
            # The largest ones and some in between, where rounding could not hide a mistake.
            largest = mean.topk(min(4, len(mean))).indices.tolist()
            places = sorted(set(largest + torch.linspace(0, len(mean) - 1, 8).long().tolist()))
            golden[kind][name] = {
                "sum": float(mean.sum()),
                "norm": float(mean.norm()),
                "elements": {str(i): float(mean[i]) for i in places},
            }
    (HERE / "speech.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
