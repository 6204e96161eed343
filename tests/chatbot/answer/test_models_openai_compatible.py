import sys
from pathlib import Path
from typing import Any

import answer_cases as server
import pytest
from answer_cases import EN, openai_server
from langchain_core.messages import HumanMessage

from chatbot.answer.compose import Composer, Outcome
from chatbot.answer.models.openai_compatible import open_openai_compatible
from chatbot.settings import BUNDLED, GenerationSettings, OpenAICompatibleModel
from knowledge.errors import ModelError


def settings(address: str, **more: Any) -> OpenAICompatibleModel:
    return OpenAICompatibleModel(kind="openai_compatible", base_url=address, model="m", **more)


def compose(address: str, *, deadline_s: float = 5, timeout_s: float = 5) -> tuple[list[str], Outcome]:
    model = open_openai_compatible(settings(address, timeout_s=timeout_s))
    composing = Composer(model, GenerationSettings(deadline_s=deadline_s, max_tokens=50)).compose(
        "how much is express delivery", EN, language="en"
    )
    said = []
    while True:
        try:
            said.append(next(composing).text)
        except StopIteration as stop:
            return said, stop.value


def address(running: Any) -> str:
    return f"http://127.0.0.1:{running.server_address[1]}/v1"


@pytest.mark.parametrize("url", ["localhost:8000", "", "file:///etc/passwd", "http://"])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ModelError, match=r"http://localhost:8000/v1\."):
        open_openai_compatible(settings(url))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langchain_openai", None)

    with pytest.raises(ModelError, match="pip install"):
        open_openai_compatible(settings("http://localhost:1/v1"))


def test_a_server_s_answer_is_composed_from() -> None:
    with openai_server(server.polite) as running:
        said, outcome = compose(address(running))

    assert said == ["Express delivery costs $12.90."]
    assert outcome.refused == []
    (request,) = running.requests  # type: ignore[attr-defined]
    assert request["stream"] is True
    assert 50 in (request.get("max_tokens"), request.get("max_completion_tokens"))
    assert request["temperature"] == 0


@pytest.mark.parametrize("mode", [server.broken, server.garbage, server.empty, server.cut])
def test_a_server_that_talks_nonsense_costs_the_customer_nothing(mode: Any) -> None:
    with openai_server(mode) as running:
        said, outcome = compose(address(running))

    assert said == []
    assert outcome.refused or mode is server.empty
    assert len(running.requests) == 1  # type: ignore[attr-defined]


def test_a_server_that_is_not_there_costs_the_customer_nothing() -> None:
    said, outcome = compose("http://127.0.0.1:9/v1")

    assert said == []
    assert outcome.refused[0].startswith("the dialogue model failed")


@pytest.mark.parametrize("mode", [server.slow, server.drip])
def test_the_deadline_holds_against_a_server_that_keeps_sending(mode: Any) -> None:
    with openai_server(mode) as running:
        said, outcome = compose(address(running), deadline_s=0.4)

    assert said == []
    assert outcome.cut
    assert outcome.refused == ["the deadline passed"]


def test_an_endless_answer_is_ended_and_hung_up_on() -> None:
    with openai_server(server.endless) as running:
        said, outcome = compose(address(running))

        assert said == []
        assert outcome.cut
        assert running.dropped.wait(10)  # type: ignore[attr-defined]


@pytest.mark.models
def test_a_real_server_answers(models_cache: Path) -> None:
    xllamacpp = pytest.importorskip("xllamacpp")
    if not (models_cache / BUNDLED).is_file():
        pytest.skip("the dialogue model is not prepared: run 'make setup'")
    params = xllamacpp.CommonParams()
    params.model.path = str(models_cache / BUNDLED)
    params.n_ctx, params.n_parallel, params.verbosity, params.warmup = 512, 1, -1, False
    running = xllamacpp.Server(params)

    model = open_openai_compatible(settings(f"{running.listening_address}/v1", timeout_s=60))
    chunks = list(model.stream([HumanMessage("One two three four")], max_tokens=4))

    assert "".join(chunk.text for chunk in chunks)
    assert len(chunks) <= 8
    del running
