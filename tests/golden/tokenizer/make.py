"""Makes the files beside it: tiny random models with different tokenizers, recipes, and what mergekit makes of them. See README.md."""

import json
import pathlib
import shutil
import subprocess
import sys

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

HERE = pathlib.Path(__file__).parent
TEXTS = {
    "base": (["the cat sat on the mat", "that cat ate the hat"] * 4, ["<s>", "</s>", "<pad>"]),
    "chat": (["the chat that we had", "we had a chatty hat"] * 4, ["<s>", "</s>", "<|im_start|>", "<|im_end|>"]),
    "code": (["def f(x): return x", "return f(x) if x else def"] * 4, ["<s>", "</s>", "<|im_end|>", "<tool>"]),
}
ROWS = {"base": 0, "chat": 0, "code": 6}  # rows behind the last token
RECIPES = {
    "union": {"tokenizer_source": "union"},
    "union-without-base": {"tokenizer_source": "union", "base_model": None},
    "base": {"tokenizer_source": "base"},
    "path": {"tokenizer_source": "code"},
    "tokens": {
        "tokenizer": {
            "source": "union",
            "pad_to_multiple_of": 16,
            "tokens": {
                "<|im_end|>": {"source": {"kind": "model_token", "model": "base", "token": "</s>"}},
                "<s>": {"source": "chat", "force": True},
                "<tool>": {"source": {"kind": "zero"}},
                "<new>": {"source": {"kind": "model_token", "model": "code", "token_id": 1}},
            },
        }
    },
}


def make_model(name, seed):
    texts, special = TEXTS[name]
    tokenizer = Tokenizer(models.BPE(unk_token=None))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=40, special_tokens=special[:2], show_progress=False))
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special[2:]])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    folder = HERE / name
    fast.save_pretrained(folder)
    rows = len(fast.get_vocab()) + ROWS[name]
    config = LlamaConfig(
        vocab_size=rows,
        hidden_size=4,
        intermediate_size=4,
        num_hidden_layers=1,
        num_attention_heads=1,
        max_position_embeddings=32,
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config)
    torch.manual_seed(seed)
    for parameter in model.parameters():
        parameter.data = torch.randn_like(parameter)
    model.save_pretrained(folder, safe_serialization=True)
    (folder / "generation_config.json").unlink(missing_ok=True)


def main():
    for seed, name in enumerate(TEXTS):
        make_model(name, seed)
    for name, options in RECIPES.items():
        recipe = {
            "merge_method": "linear",
            "base_model": "base",
            "models": [
                {"model": model, "parameters": {"weight": weight}}
                for model, weight in [("base", 0.5), ("chat", 0.25), ("code", 0.25)]
            ],
            "dtype": "float32",
            **options,
        }
        path = HERE / "recipes" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({key: value for key, value in recipe.items() if value is not None}, indent=2) + "\n")
        out = HERE / "expected" / name
        subprocess.run([sys.argv[1], str(path), str(out), "--no-write-model-card"], cwd=HERE, check=True)
        for extra in out.iterdir():
            if extra.name not in {"config.json", "model.safetensors", "tokenizer.json"}:
                extra.unlink() if extra.is_file() else shutil.rmtree(extra)


main()
