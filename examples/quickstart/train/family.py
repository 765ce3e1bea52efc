"""What the family is: where files live, the tasks and their label slices, the architecture, and how a model is scored."""

import json
import os
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import BertConfig, BertForSequenceClassification

OUT = Path(os.environ.get("QS_OUT", Path(__file__).resolve().parent.parent))
WORK = Path(os.environ.get("QS_WORK", Path(__file__).resolve().parent / "work"))
RAW = WORK / "raw"
MAX_TOKENS = 32
VOCABULARY = 4000
SEED = 20240607

LABELS = {
    "sentiment": ["negative", "positive"],
    "supersense": ["act", "animal", "artifact", "attribute", "cognition", "communication", "food", "group", "location", "person", "plant", "state", "substance"],
    "section": ["admin", "fonts", "games", "graphics", "java", "javascript", "math", "net", "perl", "python", "ruby", "science", "sound", "text", "web", "x11"],
    "speech": ["adjective", "adverb", "determiner", "noun", "preposition", "pronoun", "proper-noun", "verb"],
}
TASKS = list(LABELS)
ID2LABEL = dict(enumerate(f"{task}:{label}" for task, labels in LABELS.items() for label in labels))


def label_slice(task):
    start = sum(len(LABELS[t]) for t in TASKS[: TASKS.index(task)])
    return slice(start, start + len(LABELS[task]))


def new_model():
    torch.manual_seed(SEED)
    return BertForSequenceClassification(BertConfig(
        vocab_size=VOCABULARY, hidden_size=128, num_hidden_layers=3, num_attention_heads=4, intermediate_size=512,
        max_position_embeddings=64, type_vocab_size=2, pad_token_id=0, id2label=ID2LABEL,
        label2id={name: i for i, name in ID2LABEL.items()}, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1))


def load_model(folder):
    model = new_model()
    model.load_state_dict({name: t.float() for name, t in load_file(Path(folder) / "model.safetensors").items()})
    return model.eval()


def save_model(model, folder):
    """Writes a Hugging Face directory with float16 weights, and leaves in `model` exactly what was written."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    half = {name: t.detach().half().contiguous() for name, t in model.state_dict().items()}
    assert all(torch.isfinite(t).all() for t in half.values())
    model.load_state_dict({name: t.float() for name, t in half.items()})
    save_file(half, folder / "model.safetensors", metadata={"format": "pt"})
    config = model.config.to_dict() | {"architectures": ["BertForSequenceClassification"], "dtype": "float16"}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "tokenizer.json").write_text((WORK / "tokenizer.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "BertTokenizer", "do_lower_case": True, "strip_accents": True, "model_max_length": 64,
        "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}, indent=2) + "\n")


def tokenizer():
    tok = Tokenizer.from_file(str(WORK / "tokenizer.json"))
    tok.enable_truncation(MAX_TOKENS)
    return tok


def read_jsonl(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def read_split(task, split):
    folder = WORK / "train" if split == "train" else OUT / "tasks"
    return read_jsonl(folder / f"{task}.{split}.jsonl")


class Encoded:
    """A split as token ids and label numbers, served in padded batches of similar length."""

    def __init__(self, task, split, limit=None):
        items = read_split(task, split)[:limit]
        self.task = task
        self.ids = [e.ids for e in tokenizer().encode_batch([item["text"] for item in items])]
        self.labels = [LABELS[task].index(item["label"]) for item in items]

    def batches(self, size, shuffle=None):
        order = list(range(len(self.ids)))
        if shuffle is not None:
            order = torch.randperm(len(order), generator=shuffle).tolist()
            runs = [sorted(order[i : i + size * 16], key=lambda k: len(self.ids[k])) for i in range(0, len(order), size * 16)]
            groups = [run[i : i + size] for run in runs for i in range(0, len(run), size)]
            groups = [groups[i] for i in torch.randperm(len(groups), generator=shuffle).tolist()]
        else:
            order.sort(key=lambda k: len(self.ids[k]))
            groups = [order[i : i + size] for i in range(0, len(order), size)]
        for group in groups:
            yield (*pad([self.ids[k] for k in group]), torch.tensor([self.labels[k] for k in group]))


def pad(rows):
    width = max(map(len, rows))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    return ids, torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])


@torch.inference_mode()
def accuracy(model, data):
    model.eval()
    cut = label_slice(data.task)
    right = sum(int((model(input_ids=ids, attention_mask=mask).logits[:, cut].argmax(-1) == labels).sum())
                for ids, mask, labels in data.batches(128))
    return right / len(data.ids)
