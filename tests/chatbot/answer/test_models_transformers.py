import json
import threading
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from chatbot.answer.models.transformers import TransformersChat, _until, open_transformers
from chatbot.settings import TransformersModel
from knowledge.errors import ModelError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with random weights, as save_pretrained() writes it."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("tiny")
    words = {
        word: i for i, word in enumerate(["<s>", "</s>", "<unk>", "a", "b", "c", "Question", "Answer", ":"])
    }
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()  # type: ignore[assignment]
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(path)
    config = LlamaConfig(vocab_size=9, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, eos_token_id=1)  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(path)
    return path


def opened(folder: Path, **more: Any) -> TransformersChat:
    return open_transformers(TransformersModel(kind="transformers", model=str(folder), **more), threads=1)


def test_a_folder_streams_and_keeps_to_its_limit(folder: Path) -> None:
    chat = opened(folder)

    chunks = list(chat.stream([HumanMessage("a b c")], max_tokens=5))

    assert "".join(chunk.text for chunk in chunks).strip()
    assert len("".join(chunk.text for chunk in chunks).split()) <= 5
    assert chat.invoke([HumanMessage("a b c")], max_tokens=5).text == "".join(chunk.text for chunk in chunks)
    assert chat.invoke([HumanMessage("a b c")], max_tokens=2, temperature=0.7).text is not None


def test_a_chat_template_is_used_where_there_is_one(folder: Path) -> None:
    chat = opened(folder)
    chat.tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %} Answer :"

    ids, stops = chat._prompt([HumanMessage("a")])

    assert ids["input_ids"].shape[1] >= 3
    assert stops == []


def test_leaving_a_stream_stops_the_network(folder: Path) -> None:
    chat = opened(folder)
    chat.network.generation_config.eos_token_id = None
    stream = chat._stream([HumanMessage("a b c")], max_tokens=100_000)
    next(stream)

    stream.close()  # type: ignore[attr-defined]

    assert not [thread for thread in threading.enumerate() if thread.name == "transformers"]
    assert chat.turn.acquire(timeout=1)


def test_a_failure_of_the_network_is_an_error_in_words(folder: Path) -> None:
    chat = opened(folder)
    chat.network = None

    with pytest.raises(ModelError, match="could not answer"):
        chat.invoke([HumanMessage("a")])


def test_a_stop_word_is_found_though_it_comes_in_parts() -> None:
    assert "".join(_until(iter(["ab", "c#", "#d"]), ["##"])) == "abc"
    assert "".join(_until(iter(["ab", "c#", "d"]), ["##", "x"])) == "abc#d"
    assert "".join(_until(iter(["ab", "c"]), [])) == "abc"
    assert "".join(_until(iter(["##a"]), ["##"])) == ""


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (None, "no model folder"),
        ({}, "no config.json"),
        ({"config.json": "{}", "pytorch_model.bin": ""}, "no \\*.safetensors"),
        ({"config.json": "{", "model.safetensors": ""}, "damaged"),
        ({"config.json": "[]", "model.safetensors": ""}, "damaged"),
        (
            {"config.json": json.dumps({"architectures": ["BertModel"]}), "model.safetensors": ""},
            "cannot write text",
        ),
        ({"config.json": json.dumps({"model_type": "nonsense"}), "model.safetensors": "x"}, "cannot load"),
    ],
)
def test_a_wrong_folder_is_named_in_two_sentences(
    tmp_path: Path, files: dict[str, str] | None, words: str
) -> None:
    path = tmp_path / "m"
    if files is not None:
        path.mkdir()
        for name, content in files.items():
            (path / name).write_text(content)

    with pytest.raises(ModelError, match=words):
        opened(path)


def test_an_adapter_that_does_not_fit_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="adapter"):
        opened(folder, adapter=tmp_path / "none")
