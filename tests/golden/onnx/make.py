#!/usr/bin/env python3
"""Writes ONNX files beside this one: exports of the golden checkpoints of ../transformers, whose weights are left out (they are said to lie in a file
that is not there, as exporters do with large ones), so that a test which gives the right logits has read them from the checkpoint.

    python make.py

Made with torch 2.15.0, transformers 5.24.0, onnx and onnxscript as pip gives them; run by hand, never by the tests."""

from pathlib import Path

import onnx
import torch
from transformers import AutoModelForSequenceClassification, CLIPForImageClassification

here = Path(__file__).parent
checkpoints = here.parent / "transformers"


def save(name, model, state):
    for tensor in model.graph.initializer:
        if tensor.name in state or name.endswith("folded") and len(tensor.dims) > 1:
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="../../weights.bin")
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    model.graph.ClearField("value_info")
    (here / f"{name}.onnx").write_bytes(model.SerializeToString())


def legacy(module, inputs, names, folded):
    axes = {name: {0: "items", 1: "tokens"} for name in names}
    file = here / "legacy.onnx"
    torch.onnx.export(
        module,
        inputs,
        file,
        dynamo=False,
        input_names=names,
        output_names=["logits"],
        dynamic_axes={**axes, "logits": {0: "items"}},
        do_constant_folding=folded,
        opset_version=17,
    )
    model = onnx.load(file)
    file.unlink()
    return model


bert = AutoModelForSequenceClassification.from_pretrained(checkpoints / "bert", attn_implementation="eager").eval()
texts = {"input_ids": torch.randint(0, 100, (2, 7)), "attention_mask": torch.ones(2, 7, dtype=torch.long)}
tokens = {0: "items", 1: "tokens"}
shapes = {name: tokens for name in texts}
state = bert.state_dict()
program = torch.onnx.export(bert, kwargs=texts, dynamo=True, dynamic_shapes=shapes, optimize=False)
save("bert", program.model_proto, state)
save("bert-opset17", legacy(bert, tuple(texts.values()), list(texts), False), state)
save("bert-folded", legacy(bert, tuple(texts.values()), list(texts), True), state)

clip = CLIPForImageClassification.from_pretrained(checkpoints / "clip", attn_implementation="eager").eval()
pixels = torch.randn(2, 3, 8, 8)
program = torch.onnx.export(clip, (pixels,), dynamo=True, dynamic_shapes=({0: "items"},), optimize=False)
save("clip", program.model_proto, clip.state_dict())
