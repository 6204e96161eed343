"""The project's fine-tuned models, and the pointer at the one in force."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from chatbot.registry import HELD_OUT, METRICS, Registry, unseen_by
from knowledge.errors import ModelError


def a_model(registry: Registry, name: str, right: float = 0.8) -> None:
    with registry.making("retriever", name) as place:
        (place / METRICS).write_text(json.dumps({"p_at_1": right}))
        (place / "weights").write_text(name)


def test_a_promoted_model_is_in_force_until_it_is_rolled_back(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    a_model(registry, "spring")
    a_model(registry, "autumn")
    assert registry.promoted("retriever") is None

    registry.promote("retriever", "spring")
    registry.promote("retriever", "autumn")

    assert registry.promoted("retriever") == tmp_path / "retriever" / "autumn"
    assert registry.rollback("retriever") == "spring"
    assert registry.promoted("retriever") == tmp_path / "retriever" / "spring"
    assert registry.rollback("retriever") == ""
    assert registry.promoted("retriever") is None


def test_the_list_tells_what_is_in_force_and_how_good_each_is(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    a_model(registry, "spring", 0.7)
    a_model(registry, "autumn", 0.9)
    registry.promote("retriever", "autumn")

    listed = [(model.name, model.metrics["p_at_1"], model.promoted) for model in registry.models()]

    assert listed == [("autumn", 0.9, True), ("spring", 0.7, False)]


def test_rolling_back_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nothing to roll back"):
        Registry(tmp_path).rollback("retriever")


def test_an_unknown_model_names_the_known_ones(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    a_model(registry, "spring")

    with pytest.raises(ModelError, match="Known: spring"):
        registry.promote("retriever", "sprnig")


def test_a_damaged_model_is_not_promoted(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    a_model(registry, "spring")
    (tmp_path / "retriever" / "spring" / "weights").write_text("SPRING")

    with pytest.raises(ModelError, match="differs from the manifest"):
        registry.promote("retriever", "spring")

    assert registry.promoted("retriever") is None


def test_a_model_that_was_not_finished_is_not_there(tmp_path: Path) -> None:
    registry = Registry(tmp_path)

    with contextlib.suppress(RuntimeError), registry.making("retriever", "half") as place:
        (place / METRICS).write_text("{}")
        raise RuntimeError

    assert registry.models() == []


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden"])
def test_a_name_is_a_plain_folder_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match="is no name"), Registry(tmp_path).making("retriever", name):
        pass


def test_a_name_is_used_once(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    a_model(registry, "spring")

    with pytest.raises(ModelError, match="already is"), registry.making("retriever", "spring"):
        pass


@pytest.mark.parametrize("content", ["", "[]", '{"retriever": "spring"}', '{"retriever": ["../x"]}'])
def test_a_damaged_pointer_says_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / "promoted.json").write_text(content)

    with pytest.raises(ModelError, match="Remove it to use the default models"):
        Registry(tmp_path).promoted("retriever")


def test_a_retriever_tells_what_it_was_not_trained_on(tmp_path: Path) -> None:
    assert unseen_by(None) is None
    assert unseen_by(tmp_path) is None

    (tmp_path / HELD_OUT).write_text('["where is it?"]')

    assert unseen_by(tmp_path) == {"where is it?"}


def test_a_model_whose_replies_became_less_safe_says_so(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    figures = {
        "test_before": {"safe_rate": 0.9, "grounded_rate": 1.0},
        "test": {"safe_rate": 0.8, "grounded_rate": 1.0},
    }
    with registry.making("dialogue", "rash") as place:
        (place / METRICS).write_text(json.dumps(figures))
    a_model(registry, "spring")

    assert registry.model("dialogue", "rash").less_safe == {"safe_rate": (0.8, 0.9)}
    assert registry.model("retriever", "spring").less_safe == {}
