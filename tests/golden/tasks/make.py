"""Makes small tokenizers of every kind with Hugging Face's tokenizers, and small language models, and writes what tokenizers and transformers make of
texts, choices, windows and prompts. Run by hand; README.md says with which versions.

    OMP_NUM_THREADS=1 python make.py
"""

import json
import math
from pathlib import Path

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

HERE = Path(__file__).parent
SUBJECTS = ["the cat", "a dog", "my brother", "the old king", "her friend", "nobody", "the child", "a small bird"]
VERBS = ["sees", "likes", "follows", "finds", "hears", "wants", "forgets"]
OBJECTS = ["the river", "an apple", "the red house", "music", "the answer", "12 coins", "a naïve question", "the café"]
CORPUS = [f"{s.capitalize()} {v} {o}{end}" for s in SUBJECTS for v in VERBS for o in OBJECTS for end in (".", "!", ", doesn't it?", "\n")]
TEXTS = [
    "The cat sees the river.",
    " leading blank",
    "trailing blanks  ",
    "two  blanks   or more",
    "one line\nanother line\n\n  indented",
    "tabs\tand\u00a0other blanks",
    "doesn't I'll WE'VE",
    "year 2024, 12 coins and 1234567",
    "na\u00efve caf\u00e9 \u2014 cafe\u0301",
    "\u4f60\u597d\uff0c\u4e16\u754c",
    "emoji \U0001f917 and \U0001f469\u200d\U0001f52c",
    "unseen: \u03b1\u03b2\u03b3 \u0416 \u05d0",
    "https://example.org/a_b?c=d&e=%20",
    "<|endoftext|> and </s> in a text",
    "",
    " ",
    "\n",
    "ALL CAPITALS and MiXeD",
    "(brackets) [and] {more} \"quotes\"",
    "a" * 30,
]
GPT2_SPLIT = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
LLAMA3_SPLIT = r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""


def special(*contents):
    return [AddedToken(content, special=True, normalized=False) for content in contents]


def byte_level(split, specials, vocabulary, normalizer=None):
    tokenizer = Tokenizer(models.BPE())
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if split is None:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Split(Regex(split), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=special(*specials), initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def gpt2():
    return byte_level(None, ["<|endoftext|>"], 320), {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}


def qwen2():
    return byte_level(LLAMA3_SPLIT, ["<|endoftext|>"], 300, normalizers.NFC()), {"eos_token": "<|endoftext|>"}


def llama3():
    tokenizer = byte_level(LLAMA3_SPLIT, ["<|begin_of_text|>", "<|end_of_text|>"], 310)
    begin = "<|begin_of_text|>"
    template = processors.TemplateProcessing(
        single=f"{begin} $A", pair=f"{begin} $A {begin}:1 $B:1", special_tokens=[(begin, tokenizer.token_to_id(begin))]
    )
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    return tokenizer, {"bos_token": begin, "eos_token": "<|end_of_text|>"}


def llama2():
    """SentencePiece BPE with byte fallback, as the converter of transformers writes it."""
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="first", split=True)
    trained.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=160, special_tokens=special("<unk>", "<s>", "</s>"), show_progress=False))
    model = json.loads(trained.to_str())["model"]
    pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    pieces += [piece for piece in sorted(model["vocab"], key=model["vocab"].get) if piece not in pieces]
    merges = [tuple(merge) for merge in model["merges"]]
    tokenizer = Tokenizer(models.BPE({piece: i for i, piece in enumerate(pieces)}, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.add_special_tokens(special("<unk>", "<s>", "</s>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)]
    )
    return tokenizer, {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


def unigram(byte_fallback):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    specials = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=200, special_tokens=special(*specials), unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    if byte_fallback:
        pieces = [tuple(piece) for piece in json.loads(tokenizer.to_str())["model"]["vocab"]]
        pieces = pieces[:3] + [(f"<0x{byte:02X}>", -20.0) for byte in range(256)] + pieces[3:]
        replaced = Tokenizer(models.Unigram(pieces, 2, True))
        replaced.normalizer, replaced.pre_tokenizer = tokenizer.normalizer, tokenizer.pre_tokenizer
        replaced.add_special_tokens(special(*specials))
        tokenizer = replaced
    tokenizer.decoder = decoders.Sequence(
        [decoders.ByteFallback(), decoders.Metaspace(replacement="\u2581", prepend_scheme="always")]
    ) if byte_fallback else decoders.Metaspace(replacement="\u2581", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    return tokenizer, {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


def bert():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=160, special_tokens=special(*specials), show_progress=False))
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer, {"cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]"}


MAKERS = {
    "bert": bert,
    "gpt2": gpt2,
    "llama2": llama2,
    "llama3": llama3,
    "qwen2": qwen2,
    "t5": lambda: unigram(False),
    "t5-bytes": lambda: unigram(True),
}


def make_tokenizers():
    made, expected = {}, {}
    for name, make in MAKERS.items():
        tokenizer, config = make()
        folder = HERE / "tokenizers" / name
        folder.mkdir(parents=True, exist_ok=True)
        tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
        made[name] = PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **config)
        expected[name] = []
        for text in TEXTS:
            plain = tokenizer.encode(text, add_special_tokens=False).ids
            expected[name].append(
                {"text": text, "ids": tokenizer.encode(text).ids, "plain": plain, "decoded": tokenizer.decode(plain, skip_special_tokens=True)}
            )
    (HERE / "tokenizers.json").write_text(json.dumps(expected, indent=1))
    return made


ITEMS = [
    {"context": "The cat sees the", "choices": [" river.", " red house.", " answer, doesn't it?"], "answer": 0},
    {"context": "My brother wants ", "choices": ["music.", "12 coins.", "an apple!"], "answer": 2},
    {"context": "Nobody hears", "choices": [" the caf\u00e9", " music", " a na\u00efve question"], "answer": 1},
    {"context": "A small bird follows the old king\n", "choices": ["The child", "the child", "Her friend"], "answer": 1},
    {"context": "It", "choices": [" is", " \u4f60\u597d", " \U0001f917"], "answer": 0},
]
LONG = " ".join(CORPUS[3::97]).replace("\n", " ")
PERPLEXITY_TEXTS = ["The cat sees the river.", LONG[:200], "Nobody likes 12 coins!"]
WINDOW = 24
PROMPTS = ["The cat", "My brother wants", "Nobody hears the"]


def pair(tokenizer, context, continuation, add_special_tokens):
    """How EleutherAI's lm-evaluation-harness cuts a context and a continuation into tokens (blanks at the end of the context go over)."""
    blanks = len(context) - len(context.rstrip())
    if blanks:
        context, continuation = context[:-blanks], context[-blanks:] + continuation
    plain = lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]
    begin = [tokenizer.bos_token_id] if add_special_tokens else []
    return begin + plain(context), plain(context + continuation)[len(plain(context)) :]


def causal_log_likelihoods(model, tokenizer, add_special_tokens):
    rows = []
    for item in ITEMS:
        row = []
        for choice in item["choices"]:
            context, continuation = pair(tokenizer, item["context"], choice, add_special_tokens)
            ids = torch.tensor([context + continuation])
            log_probabilities = model(ids).logits[0].log_softmax(-1)
            values = [log_probabilities[len(context) + i - 1, token].item() for i, token in enumerate(continuation)]
            row.append({"sum": sum(values), "tokens": len(values)})
        rows.append(row)
    return rows


def windows_log_likelihood(model, tokens, begin, stride):
    """Every token once, each window of WINDOW tokens with as much context as fits."""
    total, done = 0.0, len(begin)
    ids = begin + tokens
    while done < len(ids):
        end = min(len(ids), WINDOW + 1 if done == len(begin) else done + stride)
        start = max(0, end - 1 - WINDOW)
        log_probabilities = model(torch.tensor([ids[start : end - 1]])).logits[0].log_softmax(-1)
        total += sum(log_probabilities[at - start - 1, ids[at]].item() for at in range(done, end))
        done = end
    return total


def generated(model, prompt, tokens):
    ids = list(prompt)
    for _ in range(tokens):
        ids.append(model(torch.tensor([ids])).logits[0, -1].argmax().item())
    return ids[len(prompt) :]


def generated_after(model, prompt, tokens):
    """What a decoder writes, which ends at its end token."""
    ids = [model.config.decoder_start_token_id]
    while len(ids) <= tokens:
        token = model(input_ids=torch.tensor([prompt]), decoder_input_ids=torch.tensor([ids])).logits[0, -1].argmax().item()
        if token == model.config.eos_token_id:
            break
        ids.append(token)
    return ids[1:]


def randomise(model, seed):
    torch.manual_seed(seed)
    for name, value in model.named_parameters():
        norm = value.ndim == 1 and ("ln" in name or "norm" in name) and name.endswith("weight")
        value.data = torch.randn_like(value) * (0.1 if norm else 0.35) + (1.0 if norm else 0.0)
    return model.eval()


def make_models(tokenizers):
    vocabulary = {name: len(tokenizers[name]) for name in tokenizers}
    gpt2_model = GPT2LMHeadModel(GPT2Config(vocab_size=vocabulary["gpt2"], n_positions=64, n_embd=16, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0))
    llama_model = LlamaForCausalLM(
        LlamaConfig(vocab_size=vocabulary["llama3"], hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2,
                    num_key_value_heads=1, max_position_embeddings=64, bos_token_id=0, eos_token_id=1, pad_token_id=None, tie_word_embeddings=True)
    )
    t5_model = T5ForConditionalGeneration(
        T5Config(vocab_size=vocabulary["t5"], d_model=16, d_kv=8, d_ff=24, num_layers=1, num_heads=2, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1)
    )
    expected = {"items": ITEMS, "perplexity_texts": PERPLEXITY_TEXTS, "window": WINDOW, "prompts": PROMPTS}
    with torch.no_grad():
        for name, model, tokenizer, begins in (
            ("gpt2", gpt2_model, tokenizers["gpt2"], False),
            ("llama3", llama_model, tokenizers["llama3"], True),
        ):
            randomise(model, 7)
            plain = lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]
            begin = [tokenizer.bos_token_id]
            expected[name] = {
                "choices": causal_log_likelihoods(model, tokenizer, begins),
                "perplexity": {
                    str(stride): [
                        {"sum": windows_log_likelihood(model, plain(text), begin, stride), "tokens": len(plain(text))} for text in PERPLEXITY_TEXTS
                    ]
                    for stride in (WINDOW, 5)
                },
                "generated": [tokenizer.decode(generated(model, (begin if begins else []) + plain(prompt), 8)) for prompt in PROMPTS],
            }
            save(name, model)
        randomise(t5_model, 8)
        tokenizer = tokenizers["t5"]
        rows = []
        for item in ITEMS:
            row = []
            for choice in item["choices"]:
                blanks = len(item["context"]) - len(item["context"].rstrip())
                context = item["context"][: len(item["context"]) - blanks]
                target = tokenizer(item["context"][len(context) :] + choice, add_special_tokens=False)["input_ids"]
                logits = t5_model(
                    input_ids=torch.tensor([tokenizer(context)["input_ids"]]), decoder_input_ids=torch.tensor([[0] + target[:-1]])
                ).logits[0]
                row.append({"sum": sum(logits.log_softmax(-1)[i, token].item() for i, token in enumerate(target)), "tokens": len(target)})
            rows.append(row)
        expected["t5"] = {
            "choices": rows,
            "generated": [tokenizer.decode(generated_after(t5_model, tokenizer(prompt)["input_ids"], 8), skip_special_tokens=True) for prompt in PROMPTS],
        }
        save("t5", t5_model)
    assert all(math.isfinite(c["sum"]) for name in ("gpt2", "llama3", "t5") for row in expected[name]["choices"] for c in row)
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1))


def save(name, model):
    folder = HERE / "models" / name
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)


make_models(make_tokenizers())
