"""Makes the folders beside it: tiny random models of Hugging Face transformers, inputs, and the logits it computes. See README.md.

    python make.py [NAME...]
"""

import json
import pathlib
import sys

import torch
import transformers as tf
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent

BERT = dict(
    vocab_size=40,
    hidden_size=16,
    intermediate_size=24,
    num_hidden_layers=2,
    num_attention_heads=2,
    max_position_embeddings=16,
)
DISTILBERT = dict(vocab_size=40, dim=16, hidden_dim=24, n_layers=2, n_heads=2, max_position_embeddings=16)
T5 = dict(
    vocab_size=40,
    d_model=16,
    d_kv=6,
    d_ff=24,
    num_layers=2,
    num_heads=3,
    relative_attention_num_buckets=8,
    relative_attention_max_distance=12,
    decoder_start_token_id=0,
)


def texts(lengths, vocabulary, padding=0):
    """Random ids, the shorter texts padded on the right."""
    longest = max(lengths)
    ids = torch.randint(3, vocabulary, (len(lengths), longest))
    mask = (torch.arange(longest) < torch.tensor(lengths)[:, None]).long()
    return {"input_ids": torch.where(mask == 1, ids, padding), "attention_mask": mask}


def pairs(lengths, vocabulary):
    """Texts of two parts."""
    inputs = texts(lengths, vocabulary)
    types = (torch.arange(max(lengths)) * 2 > torch.tensor(lengths)[:, None]).long()
    return inputs | {"token_type_ids": types * inputs["attention_mask"]}


def translations(lengths, target_lengths, vocabulary):
    """Texts, and what a decoder reads, its start token first."""
    targets = texts(target_lengths, vocabulary)["input_ids"]
    targets[:, 0] = 0
    return texts(lengths, vocabulary) | {"decoder_input_ids": targets}


def untied(model):
    """The model with an output layer of its own."""
    model.lm_head.weight = torch.nn.Parameter(torch.empty_like(model.lm_head.weight))
    return model


LENGTHS = (12, 7, 1)

# Those whose gradients are written too.
DIFFERENTIATED = ("roberta", "t5")

# Name: the model, and its inputs.
MODELS = {
    "bert-masked": (lambda: tf.BertForMaskedLM(tf.BertConfig(**BERT)), lambda: pairs(LENGTHS, 40)),
    "roberta": (
        lambda: tf.RobertaForSequenceClassification(tf.RobertaConfig(**BERT, type_vocab_size=1, num_labels=3)),
        lambda: texts(LENGTHS, 40, padding=1),
    ),
    "roberta-masked": (
        lambda: tf.RobertaForMaskedLM(tf.RobertaConfig(**BERT, layer_norm_eps=1e-5)),
        lambda: texts(LENGTHS, 40, padding=1),
    ),
    "distilbert": (
        lambda: tf.DistilBertForSequenceClassification(tf.DistilBertConfig(**DISTILBERT, num_labels=3)),
        lambda: texts(LENGTHS, 40),
    ),
    "distilbert-masked": (
        lambda: tf.DistilBertForMaskedLM(tf.DistilBertConfig(**DISTILBERT, tie_word_embeddings=False)),
        lambda: texts(LENGTHS, 40),
    ),
    "t5": (
        lambda: tf.T5ForConditionalGeneration(tf.T5Config(**T5)),
        lambda: translations((30, 17, 1), (20, 5, 9), 40),
    ),
    "t5-v1.1": (
        lambda: untied(
            tf.T5ForConditionalGeneration(
                tf.T5Config(**T5, num_decoder_layers=1, feed_forward_proj="gated-gelu", tie_word_embeddings=False)
            )
        ),
        lambda: translations((30, 17, 1), (20, 5, 9), 40),
    ),
}


def randomise(model):
    """Weights so large that every one of them changes the logits; norms about one."""
    for name, parameter in model.named_parameters():
        norm = name.lower().replace("_", "").endswith("norm.weight")
        parameter.data = (1 if norm else 0) + 0.3 * torch.randn_like(parameter)


def weighted(log_likelihoods, asked):
    """The sums of log-likelihoods that are differentiated: of labels, or of a target token for each place."""
    if "targets" in asked:
        log_likelihoods = log_likelihoods.gather(-1, asked["targets"].unsqueeze(-1)).squeeze(-1)
    return (log_likelihoods * asked["target_weights"]).sum()


def differentiate(model, inputs, logits, folder):
    """Writes the sum over the items of the squares of their gradients, computed in float64; returns what was differentiated."""
    asked = {"target_weights": torch.randn(logits.shape[:2])}
    if logits.dim() == 3:
        asked["targets"] = torch.randint(logits.shape[-1], logits.shape[:2])
    model = model.double()
    squares = {name: torch.zeros_like(parameter) for name, parameter in model.named_parameters()}
    for item in range(len(logits)):
        one = slice(item, item + 1)
        model.zero_grad()
        outputs = model(**{key: value[one] for key, value in inputs.items()}).logits.log_softmax(-1)
        weighted(outputs, {key: value[one] for key, value in asked.items()}).backward()
        for name, parameter in model.named_parameters():
            squares[name] += parameter.grad.square()
    save_file({name: value.float() for name, value in squares.items()}, folder / "expected_squares.safetensors")
    return asked


def make(name):
    torch.manual_seed(sum(name.encode()))
    build, inputs_of = MODELS[name]
    model = build().eval()
    randomise(model)
    inputs = inputs_of()
    with torch.no_grad():
        logits = model(**inputs).logits
    folder = HERE / name
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    asked = differentiate(model, inputs, logits, folder) if name in DIFFERENTIATED else {}
    expected = {"inputs": {key: value.tolist() for key, value in inputs.items()}, "logits": logits.tolist()}
    expected |= {key: value.tolist() for key, value in asked.items()}
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")


for each in sys.argv[1:] or MODELS:
    make(each)
