import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from answer_cases import EN
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from test_models_gguf import gguf

from chatbot.answer.compose import Composer
from chatbot.answer.models.llama_cpp import LlamaCppChat, open_llama_cpp
from chatbot.answer.models.transcript import render
from chatbot.settings import BUNDLED, GenerationSettings, LlamaCppModel
from knowledge.errors import ModelError

ASKED = [SystemMessage("Be brief."), HumanMessage("Question: a\nAnswer:"), AIMessage("b"), HumanMessage("Question: c\nAnswer:")]  # fmt: skip


class Engine:
    """Says its words to whoever listens, as llama.cpp does, until it is told to stop."""

    def __init__(self, *chunks: Any, pause_s: float = 0.0) -> None:
        self.chunks, self.pause_s, self.stopped = chunks, pause_s, threading.Event()
        self.requests: list[dict[str, Any]] = []

    def handle_completions(self, request: dict[str, Any], heard: Callable[[Any], bool], /) -> None:
        self.requests.append(request)
        for chunk in self.chunks:
            if isinstance(chunk, Exception):
                raise chunk
            time.sleep(self.pause_s)
            if heard(chunk):
                self.stopped.set()
                return

    handle_chat_completions = handle_completions


def said(text: str, reason: str | None = None) -> dict[str, Any]:
    return {"choices": [{"text": text, "finish_reason": reason}]}


def test_messages_become_a_transcript_for_a_base_model() -> None:
    assert render(ASKED) == "Be brief.\n\nQuestion: a\nAnswer: b\n\nQuestion: c\nAnswer:"


def test_a_base_model_is_given_text_and_stops_at_the_line_s_end() -> None:
    engine = Engine(said(" yes"), said(" sir", "stop"), {"choices": []})
    chat = LlamaCppChat(engine=engine, model="m")

    assert chat.invoke(ASKED, stop=["x"], max_tokens=9, temperature=0.5).text == " yes sir"
    assert engine.requests == [
        {"stream": True, "max_tokens": 9, "temperature": 0.5, "cache_prompt": True, "prompt": render(ASKED), "stop": ["\n", "x"]}
    ]  # fmt: skip


def test_an_instruct_model_is_given_messages_in_its_own_template() -> None:
    engine = Engine(
        {"choices": [{"delta": {"role": "assistant", "content": None}}]},
        {"choices": [{"delta": {"content": "ok"}}]},
    )
    chat = LlamaCppChat(engine=engine, model="m", instruct=True)

    assert [chunk.text for chunk in chat.stream(ASKED)][:2] == ["", "ok"]
    assert [message["role"] for message in engine.requests[0]["messages"]] == [
        "system",
        "user",
        "assistant",
        "user",
    ]


def test_closing_a_stream_stops_the_engine_at_its_next_token() -> None:
    engine = Engine(*[said("a")] * 1000, pause_s=0.01)
    stream = LlamaCppChat(engine=engine, model="m")._stream(ASKED)
    next(stream)

    stream.close()  # type: ignore[attr-defined]

    assert engine.stopped.wait(5)


@pytest.mark.parametrize(
    "trouble",
    [{"error": {"code": 400, "message": "too long"}}, {"error": "too long"}, RuntimeError("too long")],
)
def test_what_the_engine_refuses_is_an_error_in_words(trouble: Any) -> None:
    if isinstance(trouble, dict) and isinstance(trouble["error"], str):
        trouble = {"error": {"message": trouble["error"]}}

    with pytest.raises(ModelError, match="too long"):
        LlamaCppChat(engine=Engine(trouble), model="m").invoke(ASKED)


def test_wrong_files_are_refused_before_llama_cpp_sees_them(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="kefu models prepare"):
        open_llama_cpp(LlamaCppModel(), cache=tmp_path, threads=1)
    with pytest.raises(ModelError, match="'bert' encoder"):
        open_llama_cpp(
            LlamaCppModel(path=gguf(tmp_path / "b.gguf", general__architecture="bert")),
            cache=tmp_path,
            threads=1,
        )
    model = gguf(tmp_path / "m.gguf")
    with pytest.raises(ModelError, match="not a LoRA adapter"):
        open_llama_cpp(LlamaCppModel(path=model, adapter=model), cache=tmp_path, threads=1)


def test_a_file_that_llama_cpp_cannot_load_is_an_error_and_says_nothing_on_stderr(
    tmp_path: Path, capfd: Any
) -> None:
    path = gguf(tmp_path / "m.gguf", general__architecture="unheard-of")

    with pytest.raises(ModelError, match="cannot load") as error:
        open_llama_cpp(LlamaCppModel(path=path), cache=tmp_path, threads=1)

    assert "unheard-of" in str(error.value)
    assert capfd.readouterr() == ("", "")


@pytest.fixture(scope="module")
def gemma(models_cache: Path) -> LlamaCppChat:
    if not (models_cache / BUNDLED).is_file():
        pytest.skip("the dialogue model is not prepared: run 'make setup'")
    return open_llama_cpp(LlamaCppModel(context_tokens=512, slots=2), cache=models_cache, threads=2)


@pytest.mark.models
def test_the_default_model_streams_and_keeps_to_its_limit(gemma: LlamaCppChat, capfd: Any) -> None:
    chunks = list(gemma.stream([HumanMessage("One two three four five six")], max_tokens=4))

    assert len([chunk for chunk in chunks if chunk.text]) > 1
    assert any(chunk.response_metadata.get("finish_reason") for chunk in chunks)
    assert gemma.model == "Gemma 3 270m"
    assert not gemma.instruct
    assert capfd.readouterr() == ("", "")


@pytest.mark.models
def test_two_answers_are_written_at_once_and_a_left_one_frees_its_slot(gemma: LlamaCppChat) -> None:
    streams = [
        gemma.stream([HumanMessage(f"{name}, {name}, {name},")], max_tokens=60) for name in ("red", "blue")
    ]
    for stream in streams:
        next(stream)
        stream.close()  # type: ignore[attr-defined]

    assert gemma.invoke([HumanMessage("Monday, Tuesday, Wednesday,")], max_tokens=3).text


@pytest.mark.models
def test_a_prompt_that_is_too_long_is_an_error_in_words(gemma: LlamaCppChat) -> None:
    with pytest.raises(ModelError, match="context"):
        gemma.invoke([HumanMessage("word " * 3000)])


@pytest.mark.models
def test_whatever_the_default_model_writes_only_supported_sentences_are_said(gemma: LlamaCppChat) -> None:
    composer = Composer(gemma, GenerationSettings(deadline_s=20, max_tokens=20, passages=1))

    said_sentences = list(composer.compose("how do I make a warranty claim?", [EN[2]], language="en"))

    for sentence in said_sentences:
        assert sentence.passage_ids == ("warranty",)


@pytest.mark.models
def test_the_process_can_end_while_an_answer_is_being_written(models_cache: Path) -> None:
    if not (models_cache / BUNDLED).is_file():
        pytest.skip("the dialogue model is not prepared: run 'make setup'")
    program = (
        "import sys; from pathlib import Path; from langchain_core.messages import HumanMessage\n"
        "from chatbot.settings import LlamaCppModel\n"
        "chat = LlamaCppModel(context_tokens=512, slots=1).open(cache=Path(sys.argv[1]), threads=1)\n"
        "stream = chat.stream([HumanMessage('1 2 3 4')], max_tokens=400, stop=['never'])\n"
        "next(stream)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, str(models_cache)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_this_file_s_engine_is_an_iterator_of_nothing() -> None:
    empty: Iterator[Any] = iter(LlamaCppChat(engine=Engine(), model="m")._stream(ASKED))

    assert list(empty) == []
