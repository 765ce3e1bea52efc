"""The base encoder: a small BERT whose token embeddings start as a projection of the teacher's, trained so that its pooled
output gives the teacher's sentence embedding back, and (on every second batch) to guess masked words."""

import argparse
import time

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn

from family import SEED, WORK, new_model, pad, tokenizer
from teacher import FOLDER

MASK = 4


def projected_embeddings(tok):
    """Each piece is the mean of the teacher's vectors for the same characters, on the 128 main axes of all pieces."""
    table = load_file(FOLDER / "model.safetensors")["embeddings.word_embeddings.weight"].float()
    other = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
    other.no_padding()
    rows = []
    for i in range(tok.get_vocab_size()):
        piece = tok.id_to_token(i)
        same = other.token_to_id(piece)
        ids = [same] if same is not None else other.encode(piece.removeprefix("##"), add_special_tokens=False).ids
        rows.append(table[ids].mean(0) if ids else table[100])
    rows = torch.stack(rows)
    rows -= rows.mean(0)
    axes = torch.linalg.svd(rows, full_matrices=False)[2][:128]
    small = rows @ axes.T
    return small * (0.05 / small.std())


class Student(nn.Module):
    def __init__(self, tok):
        super().__init__()
        self.model = new_model()
        with torch.no_grad():
            self.model.bert.embeddings.word_embeddings.weight.copy_(projected_embeddings(tok))
        self.sentence = nn.Linear(128, 384)
        self.word = nn.Sequential(nn.Linear(128, 128), nn.GELU(), nn.LayerNorm(128))
        self.word_bias = nn.Parameter(torch.zeros(tok.get_vocab_size()))

    def forward(self, ids, mask, target, generator=None):
        chosen = None
        fed = ids
        if generator is not None:
            chosen = (torch.rand(ids.shape, generator=generator) < 0.15) & (ids > MASK)
            fed = ids.masked_fill(chosen, MASK)
        states = self.model.bert(input_ids=fed, attention_mask=mask)
        loss = 1 - nn.functional.cosine_similarity(self.sentence(states.pooler_output), target).mean()
        if chosen is None:
            return loss, None
        logits = self.word(states.last_hidden_state[chosen]) @ self.model.bert.embeddings.word_embeddings.weight.T + self.word_bias
        return loss, nn.functional.cross_entropy(logits, ids[chosen])


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--texts", type=int, default=None)
    args.add_argument("--epochs", type=int, default=3)
    args.add_argument("--lr", type=float, default=1.5e-3)
    args = args.parse_args()
    tok = tokenizer()
    texts = (WORK / "unlabelled.txt").read_text().split("\n")[: args.texts]
    target = np.load(WORK / "teacher.npy", mmap_mode="r")
    ids = [e.ids for e in tok.encode_batch(texts)]
    generator = torch.Generator().manual_seed(SEED)
    student = Student(tok).train()
    optimizer = torch.optim.AdamW(student.parameters(), lr=args.lr, weight_decay=0.01, betas=(0.9, 0.98), fused=True)
    batch = 128
    steps = args.epochs * -(-len(ids) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, total_steps=steps + 1, pct_start=0.06)
    step, began, seen = 0, time.time(), [[], []]
    for epoch in range(args.epochs):
        order = torch.randperm(len(ids), generator=generator).tolist()
        runs = [sorted(order[i : i + batch * 32], key=lambda k: len(ids[k])) for i in range(0, len(order), batch * 32)]
        groups = [run[i : i + batch] for run in runs for i in range(0, len(run), batch)]
        for at in torch.randperm(len(groups), generator=generator).tolist():
            group = groups[at]
            with torch.autocast("cpu", torch.bfloat16):
                near, word = student(*pad([ids[k] for k in group]), torch.from_numpy(target[group].astype(np.float32)), generator if step % 2 else None)
                loss = near * 4 + (0 if word is None else word * 0.4)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(student.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            seen[0].append(near.item())
            if word is not None:
                seen[1].append(word.item())
            step += 1
            if step % 500 == 0:
                print(f"step {step} of {steps}: 1-cos {np.mean(seen[0]):.4f}, masked word {np.mean(seen[1]):.3f}, {time.time() - began:.0f} s", flush=True)
                seen = [[], []]
    torch.save(student.model.state_dict(), WORK / "encoder.pt")


if __name__ == "__main__":
    main()
