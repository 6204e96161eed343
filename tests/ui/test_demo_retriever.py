"""The demo comes with a retriever that was trained on its knowledge, in force from the first start."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import pytest

from chatbot.answer.prompt import GROUNDED
from chatbot.calibrations import shipped_calibration
from chatbot.chats import Chat, read_chats
from chatbot.registry import CHATS, REMEMBERED, Registry, base_of, prompt_of
from chatbot.settings import LlamaCppModel, load_settings
from knowledge.sources.intent_files import read_intents
from knowledge.types import Encoder
from ui.commands.init import write_project


def test_the_demo_project_has_its_retriever_in_force_and_whole(tmp_path: Path) -> None:
    write_project(tmp_path, demo=True)

    settings = load_settings(tmp_path)

    adapter = settings.retriever
    assert adapter is not None
    model = Registry(settings.models_folder).model("retriever", adapter.name)
    assert model.promoted
    assert model.metrics["p_at_1"] > model.metrics["p_at_1_before"]


@pytest.mark.models
def test_its_thresholds_were_fitted_with_it(tmp_path: Path, models_cache: Path, encoder: Encoder) -> None:
    write_project(tmp_path, demo=True)
    settings = load_settings(tmp_path)

    opened = settings.encoder.open(cache=models_cache, threads=1)

    assert shipped_calibration(settings).certificate.encoder == opened.fingerprint != encoder.fingerprint


def test_a_project_of_ones_own_begins_without(tmp_path: Path) -> None:
    write_project(tmp_path / "shop", demo=False)

    assert load_settings(tmp_path / "shop").retriever is None


@pytest.mark.parametrize("demo", [True, False])
def test_every_project_has_the_fine_tuned_dialogue_model_in_force_and_whole(
    tmp_path: Path, *, demo: bool
) -> None:
    write_project(tmp_path, demo=demo)

    settings = load_settings(tmp_path)

    model = Registry(settings.models_folder).model("dialogue", "default")
    assert model.promoted
    assert model.metrics["chosen"] > model.metrics["chosen_before"]
    assert base_of(model.folder) == LlamaCppModel().base
    assert prompt_of(model.folder) == GROUNDED
    assert settings.dialogue_model.adapter == model.folder / "adapter.gguf"  # type: ignore[union-attr]


def test_its_chats_name_answers_that_there_are_and_none_of_them_is_an_examination(tmp_path: Path) -> None:
    write_project(tmp_path, demo=True)
    known = {
        f"faq:{row['id']}"
        for name in ("faq_zh.csv", "faq_en.csv")
        for row in csv.DictReader(io.StringIO((tmp_path / name).read_text("utf-8-sig"), newline=""))
    }
    known |= {f"intent:{intent.name}" for intent in read_intents(tmp_path / "intents.yaml")}

    learned = read_chats(tmp_path / "chats.jsonl")
    exams = Path(__file__).parents[2] / "benchmarks" / "conversations"
    asked = [*read_chats(exams / "chats.jsonl"), *read_chats(exams / "later.jsonl")]

    answers = {
        answer for chat in (*learned, *asked) for line in chat.messages for answer in line.answers or ()
    }
    assert answers <= known
    model = tmp_path / "models" / "retriever" / "demo"
    remembered, held_out = (said(read_chats(model / name)) for name in (REMEMBERED, CHATS))
    assert remembered <= said(learned)
    assert not remembered & held_out
    assert not said(learned) & said(asked)


def said(chats: Iterable[Chat]) -> set[tuple[str, ...]]:
    """What was written in each, whether it is remembered or not."""
    return {tuple(line.text for line in chat.messages) for chat in chats}
