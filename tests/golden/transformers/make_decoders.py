"""Makes the folders of the causal models beside it: tiny random checkpoints of Hugging Face transformers, inputs, logits, squared gradients, and what greedy decoding gives.

    python make_decoders.py [NAME...]

The folders of `gpt2`, `llama` and T5 are read, not made: only their `generated.json` is written."""

import json
import pathlib
import sys

import torch
import transformers as tf
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
LENGTHS = (12, 7, 1)
PROMPT_LENGTHS = (9, 4, 5, 1)
NEW_TOKENS = 12

SIZES = dict(
    vocab_size=60,
    hidden_size=16,
    intermediate_size=24,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=32,
    pad_token_id=0,
    bos_token_id=1,
    eos_token_id=2,
)
LLAMA3 = dict(
    rope_type="llama3",
    rope_theta=500.0,
    factor=4.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=16,
)

# Name: the model. Together they have every way in which the families and their configs differ.
MODELS = {
    "llama3": lambda: tf.LlamaForCausalLM(
        tf.LlamaConfig(**SIZES, tie_word_embeddings=True, attention_bias=True, mlp_bias=True, rope_parameters=LLAMA3)
    ),
    "llama-classifier": lambda: tf.LlamaForSequenceClassification(
        tf.LlamaConfig(
            **SIZES, num_labels=3, rope_parameters=dict(rope_type="linear", rope_theta=1e4, factor=2.0)
        )
    ),
    "mistral": lambda: tf.MistralForCausalLM(tf.MistralConfig(**SIZES, head_dim=6, sliding_window=5)),
    "qwen2": lambda: tf.Qwen2ForCausalLM(
        tf.Qwen2Config(
            **SIZES, tie_word_embeddings=True, use_sliding_window=True, sliding_window=4, max_window_layers=1
        )
    ),
    "qwen3": lambda: tf.Qwen3ForCausalLM(
        tf.Qwen3Config(**SIZES | dict(num_key_value_heads=1), head_dim=8, attention_bias=True)
    ),
    "gemma2": lambda: tf.Gemma2ForCausalLM(
        tf.Gemma2Config(
            **SIZES,
            head_dim=6,
            query_pre_attn_scalar=10,
            sliding_window=4,
            attn_logit_softcapping=2.0,
            final_logit_softcapping=3.0,
        )
    ),
    "gpt2-classifier": lambda: tf.GPT2ForSequenceClassification(
        tf.GPT2Config(
            vocab_size=60,
            n_embd=16,
            n_layer=2,
            n_head=2,
            n_inner=24,
            n_positions=32,
            scale_attn_by_inverse_layer_idx=True,
            pad_token_id=0,
            num_labels=3,
        )
    ),
}


def texts(lengths, vocabulary):
    """Random ids, the shorter texts padded on the right."""
    longest = max(lengths)
    ids = torch.randint(3, vocabulary, (len(lengths), longest))
    mask = (torch.arange(longest) < torch.tensor(lengths)[:, None]).long()
    return {"input_ids": ids * mask, "attention_mask": mask}


def randomise(model):
    """Weights so large that every one of them changes the logits; norms about what leaves their input as it is; words that say little by themselves."""
    unit = 0 if model.config.model_type == "gemma2" else 1
    for name, parameter in model.named_parameters():
        norm = parameter.dim() == 1 and name.endswith("weight")
        size = 0.1 if "embed_tokens" in name or "wte" in name else 0.3
        parameter.data = (unit if norm else 0) + size * torch.randn_like(parameter)


def generated(model):
    """What each prompt is continued with, alone: up to and with the first of the end tokens, two that do occur."""
    vocabulary = model.config.vocab_size
    prompts = [torch.randint(3, vocabulary, (1, length)) for length in PROMPT_LENGTHS]

    def greedy(prompt, ends):
        settings = dict(max_new_tokens=NEW_TOKENS, do_sample=False, pad_token_id=0)
        settings |= dict(attention_mask=torch.ones_like(prompt), eos_token_id=ends or None)
        if model.config.is_encoder_decoder:
            return model.generate(prompt, decoder_start_token_id=0, **settings)[0, 1:].tolist()
        return model.generate(prompt, **settings)[0, prompt.shape[1] :].tolist()

    ends = [greedy(prompts[0], [])[6], greedy(prompts[1], [])[2]]
    return {
        "prompts": [prompt[0].tolist() for prompt in prompts],
        "ends": ends,
        "new_tokens": NEW_TOKENS,
        "generated": [greedy(prompt, ends) for prompt in prompts],
        "generated_without_ends": [greedy(prompt, []) for prompt in prompts],
    }


@torch.enable_grad()
def mean_squared_gradient(model, inputs):
    """The mean over texts of the squared gradient of a text's mean next-token log-likelihood, by tensor; a text of one token has none."""
    squares = {name: torch.zeros_like(parameter) for name, parameter in model.named_parameters()}
    lengths = inputs["attention_mask"].sum(1).tolist()
    for ids, length in zip(inputs["input_ids"], lengths):
        if length < 2:
            continue
        model.zero_grad()
        log_probabilities = torch.log_softmax(model(input_ids=ids[None, :length]).logits[0], -1)
        log_probabilities[range(length - 1), ids[1:length]].mean().backward()
        for name, parameter in model.named_parameters():
            squares[name] += parameter.grad**2 / len(lengths)
    return squares


def write(path, value):
    path.write_text(json.dumps(value) + "\n")


def make(name):
    torch.manual_seed(sum(name.encode()))
    folder = HERE / name
    if name in MODELS:
        model = MODELS[name]().eval()
        randomise(model)
        inputs = texts(LENGTHS, model.config.vocab_size)
        model.save_pretrained(folder)
        (folder / "generation_config.json").unlink(missing_ok=True)
        logits = model(**inputs).logits.tolist()
        write(folder / "expected.json", {"inputs": {key: value.tolist() for key, value in inputs.items()}, "logits": logits})
        if model.can_generate():
            save_file(mean_squared_gradient(model, inputs), folder / "expected_mean_squared_gradient.safetensors")
    else:
        kind = tf.AutoModelForSeq2SeqLM if name.startswith("t5") else tf.AutoModelForCausalLM
        model = kind.from_pretrained(folder)
    # Not what the checkpoint says of how to generate, but what is asked for here.
    model.generation_config = tf.GenerationConfig()
    if model.can_generate():
        write(folder / "generated.json", generated(model))


with torch.no_grad():
    for each in sys.argv[1:] or [*MODELS, "gpt2", "llama", "t5", "t5-v1.1"]:
        make(each)
