"""A LoRA adapter as llama.cpp reads it: a GGUF file of a few MB beside the one that peft wrote.

Source: llama.cpp's convert_lora_to_gguf.py, and the GGUF specification.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from chatbot.settings import GGUF_ADAPTER
from finetune.decoder import WEIGHTS
from knowledge.errors import ModelError

_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_WEIGHT = re.compile(r"layers\.(\d+)\.([a-z_.]+_proj)\.lora_([AB])\.weight$")
_PERMUTED = frozenset({"llama"})
"""Architectures whose query and key rows llama.cpp stores in another order than transformers."""


def write_gguf_adapter(folder: Path, *, architecture: str, name: str) -> Path:
    """Write `adapter.gguf` beside the adapter in `folder`; its path.

    Args:
        folder: With what peft wrote.
        architecture: llama.cpp's name of the base model's, e.g. "gemma3".
        name: Of the adapter.

    Raises:
        ModelError: A weight has no name in llama.cpp, or its rows would have to be reordered.
    """
    from gguf import GGMLQuantizationType, GGUFWriter

    if architecture in _PERMUTED:
        raise ModelError(
            f"An adapter for '{architecture}' cannot be written for llama.cpp here. Use llama.cpp's convert_lora_to_gguf.py on {folder}."
        )
    config = json.loads((folder / "adapter_config.json").read_text("utf-8"))
    path = folder / GGUF_ADAPTER
    writer = GGUFWriter(str(path), architecture)
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_name(name)
    writer.add_float32("adapter.lora.alpha", float(config["lora_alpha"]))
    for key, weight in sorted(load_file(str(folder / WEIGHTS)).items()):
        found = _WEIGHT.search(key)
        if found is None or found[2] not in _NAMES:
            raise ModelError(
                f"llama.cpp has no name for the weight {key}. Train other layers, or serve with transformers."
            )
        side = found[3].lower()
        tensor = f"blk.{found[1]}.{_NAMES[found[2]]}.weight.lora_{side}"
        writer.add_tensor(tensor, weight.astype(np.float16), raw_dtype=GGMLQuantizationType.F16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
