"""Builds the four tasks: labelled items, de-duplicated, split, and written with their task files; then the tokenizer and the
unlabelled texts for distillation, neither of which ever sees a validation or test item."""

import hashlib
import json
import random

import yaml
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import corpora
from family import LABELS, MAX_TOKENS, OUT, SEED, TASKS, VOCABULARY, WORK, label_slice

TEST, VALIDATION, TRAIN = 2000, 600, 20000


def sentiment():
    for rating, text in corpora.opinions():
        if abs(rating) >= 0.5:
            yield text, "positive" if rating > 0 else "negative", text


def supersense():
    for number, gloss in corpora.glosses():
        if number in corpora.NOUN_FILES:
            yield gloss, corpora.NOUN_FILES[number], gloss


def section():
    for name, description in corpora.packages():
        if name in LABELS["section"]:
            yield description, name, description


def speech():
    """A word, then its sentence (up to seven words either side of it). Files of the corpus never straddle splits."""
    rng = random.Random(SEED)
    for file, pairs in corpora.brown():
        at = rng.randrange(len(pairs))
        label = corpora.speech_class(pairs[at][1])
        # The commonest classes are thinned so that no class dominates.
        if label and rng.random() < {"noun": 0.45, "verb": 0.55, "preposition": 0.6, "determiner": 0.4}.get(label, 1):
            words = [word for word, _ in pairs]
            yield " ".join([words[at], ":", *words[max(0, at - 7) : at + 8]]), label, file


def rank(group):
    """A group's place in the order from which the splits are cut: its own hash, so that one item more or less moves no other."""
    return hashlib.sha256(f"{SEED}/{group}".encode()).hexdigest()


def build(task, items):
    """Splits by group (a text, or a file of Brown) and keeps one item per text; a text with two labels is dropped."""
    labels, chosen = {}, {}
    for text, label, group in items:
        key = text.lower()
        if 3 <= len(text.split()) <= 22:
            labels.setdefault(key, set()).add(label)
            chosen[key] = min(chosen.get(key, (text, label, group.lower())), (text, label, group.lower()))
    usable = sorted((entry for key, entry in chosen.items() if len(labels[key]) == 1), key=lambda entry: (rank(entry[2]), entry[0]))
    parts, start = {}, 0
    for split, count in (("test", TEST), ("validation", VALIDATION)):
        end = start + count
        while usable[end][2] == usable[end - 1][2]:
            end += 1
        parts[split] = usable[start:end]
        start = end
    rest = usable[start:]
    random.Random(SEED).shuffle(rest)
    parts["train"] = rest[:TRAIN]
    for split, entries in parts.items():
        folder = WORK / "train" if split == "train" else OUT / "tasks"
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / f"{task}.{split}.jsonl", "w") as file:
            for text, label, _ in entries:
                file.write(json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n")
    (OUT / "tasks" / f"{task}.yaml").write_text(yaml.safe_dump({
        "name": task, "kind": "classification", "labels": LABELS[task], "label_offset": label_slice(task).start, "max_tokens": MAX_TOKENS,
        "splits": {"validation": f"{task}.validation.jsonl", "test": f"{task}.test.jsonl"}}, sort_keys=False, default_flow_style=None, width=160))
    print(task, {split: len(entries) for split, entries in parts.items()}, flush=True)
    held = parts["test"] + parts["validation"]
    return {text.lower() for text, _, _ in held}, {group for _, _, group in held}


def train_tokenizer(texts):
    tok = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    tok.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=True)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tok.train_from_iterator(texts, trainers.WordPieceTrainer(
        vocab_size=VOCABULARY, limit_alphabet=120, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
    tok.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tok.decoder = decoders.WordPiece(prefix="##")
    tok.save(str(WORK / "tokenizer.json"), pretty=False)
    assert tok.get_vocab_size() == VOCABULARY


def main():
    held_texts, held_files = set(), set()
    for task in TASKS:
        texts, groups = build(task, globals()[task]())
        held_texts |= texts
        held_files |= groups if task == "speech" else set()
    unlabelled = [gloss for _, gloss in corpora.glosses()] + [text for _, text in corpora.packages()] + [text for _, text in corpora.opinions()]
    for file, pairs in corpora.brown():
        if file not in held_files:
            words = [word for word, _ in pairs]
            unlabelled += [" ".join(words[i : i + 20]) for i in range(0, len(words), 20) if len(words) - i > 3]
    unlabelled = sorted({text for text in unlabelled if text.lower() not in held_texts and len(text.split()) > 2})
    random.Random(SEED).shuffle(unlabelled)
    (WORK / "unlabelled.txt").write_text("\n".join(unlabelled))
    train_tokenizer(unlabelled)
    print("unlabelled", len(unlabelled), flush=True)


if __name__ == "__main__":
    main()
