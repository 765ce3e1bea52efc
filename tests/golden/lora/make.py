"""Makes the files beside it: tiny random models, LoRA adapters of them, and what PEFT merges of both. See README.md."""

import json
import pathlib

import torch
from peft import LoraConfig, get_peft_model
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

HERE = pathlib.Path(__file__).parent


def randomise(model, seed):
    torch.manual_seed(seed)
    for parameter in model.parameters():
        parameter.data = 0.2 * torch.randn_like(parameter)


def llama():
    config = LlamaConfig(
        vocab_size=40,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=32,
        tie_word_embeddings=False,
    )
    return LlamaForCausalLM(config)


def gpt2():
    config = GPT2Config(vocab_size=40, n_positions=16, n_embd=16, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0)
    return GPT2LMHeadModel(config)


ADAPTERS = {
    "llama-plain": (
        "llama",
        dict(r=4, lora_alpha=8, target_modules=["q_proj", "k_proj", "down_proj", "embed_tokens", "lm_head"]),
    ),
    "llama-patterns": (
        "llama",
        dict(
            r=4,
            lora_alpha=6,
            use_rslora=True,
            target_modules=["q_proj", "v_proj", "up_proj"],
            rank_pattern={"layers.1.self_attn.q_proj": 2, "up_proj": 7},
            alpha_pattern={"layers.1.self_attn.q_proj": 3, "^model.layers.0.mlp.up_proj": 5, "proj": 1000},
            modules_to_save=["lm_head"],
        ),
    ),
    "gpt2-transposed": (
        "gpt2",
        dict(r=3, lora_alpha=5, target_modules=["c_attn", "c_proj", "c_fc"], fan_in_fan_out=True, bias="all"),
    ),
}


def save(model, folder):
    model.save_pretrained(folder, safe_serialization=True)
    for extra in ["generation_config.json", "README.md"]:
        (folder / extra).unlink(missing_ok=True)


def main():
    for name, make in {"llama": llama, "gpt2": gpt2}.items():
        model = make()
        randomise(model, 1)
        save(model, HERE / name)
    for seed, (name, (base, options)) in enumerate(ADAPTERS.items()):
        model = (llama if base == "llama" else gpt2)()
        randomise(model, 1)
        adapted = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **options))
        torch.manual_seed(10 + seed)
        for key, parameter in adapted.named_parameters():
            if "lora_" in key or "modules_to_save" in key or key.endswith(".bias"):
                parameter.data = 0.2 * torch.randn_like(parameter)
        folder = HERE / name
        adapted.save_pretrained(folder, safe_serialization=True)
        (folder / "README.md").unlink(missing_ok=True)
        path = folder / "adapter_config.json"
        config = json.loads(path.read_text())
        config["base_model_name_or_path"] = base
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
        save(adapted.merge_and_unload(), HERE / f"{name}-merged")


main()
