"""The encoder learns to tell intents apart; its share beside the head is chosen on held-out texts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_bert import write_tiny_bert
from tiny_texts import FRAMES
from tiny_texts import TEN as THINGS

from chatbot.evaluate.intents import Labelled, fit_intents
from fakes import FakeEncoder
from finetune.classifier import TaskPace, TaskTable, open_classifier, train
from finetune.examples import Example, Split
from finetune.intent import with_unlabelled
from finetune.intent_model import estimated_minutes, fit_mixed, learned_from_all, pace_for
from finetune.learning import NoCheckpoints
from finetune.wordings import Text
from knowledge.errors import ModelError

EVERY_LAYER = TaskTable(first_layer=0, rank=0)
TEXTS = [frame.format(thing) for frame in FRAMES.values() for thing in THINGS]
NAMES = [name for name in FRAMES for _ in THINGS]
LABELS = np.repeat(np.arange(3), len(THINGS))


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[str, str]]:
    words = [word for text in TEXTS for word in text.split()]
    return write_tiny_bert(tmp_path_factory.mktemp("tiny"), words, layers=2), ("", "")


def silent(what: str, done: float) -> None: ...


def test_intents_are_learned_and_word_embeddings_stay(base: tuple[Path, tuple[str, str]]) -> None:
    network = open_classifier(base, EVERY_LAYER, classes=3)
    before = network.encoder.body.embeddings.word_embeddings.weight.clone()
    states = network.encoder.below([Text(text, 0) for text in TEXTS], progress=silent)
    network.start_from(network.encoder.vectors(states), LABELS)
    pace = TaskPace(epochs=12, learning_rate=1e-3, batch_size=8, patience=12)

    learned = train(
        network,
        (states, LABELS),
        (states[::3], LABELS[::3]),
        pace,
        checkpoints=NoCheckpoints(),
        progress=silent,
    )

    assert learned.epochs[-1].loss < learned.epochs[0].loss
    assert (network.probabilities(states).argmax(axis=1) == LABELS).mean() > 0.9
    assert torch.equal(network.encoder.body.embeddings.word_embeddings.weight, before)


def test_the_estimate_changes_no_weight(base: tuple[Path, tuple[str, str]]) -> None:
    network = open_classifier(base, EVERY_LAYER, classes=3)
    states = network.encoder.below([Text(text, 0) for text in TEXTS], progress=silent)
    before = [weight.detach().clone() for weight in network.parameters()]

    minutes = estimated_minutes(network, states, LABELS, pace_for(len(TEXTS), seed=0))

    assert minutes > 0
    assert all(torch.equal(one, two) for one, two in zip(network.parameters(), before, strict=True))


def test_many_examples_get_five_epochs_and_few_get_more() -> None:
    assert (pace_for(10_000, seed=0).epochs, pace_for(770, seed=0).epochs) == (5, 15)


def test_no_time_means_no_training(base: tuple[Path, tuple[str, str]]) -> None:
    learn = Labelled(tuple(TEXTS), tuple(NAMES))
    head = fit_intents(learn, None, FakeEncoder(), seed=0)

    model, minutes = fit_mixed(
        head, learn, None, base, seed=0, loss=0.01, budget_minutes=0.0, shares=(0.5,), progress=silent
    )

    assert model is None
    assert minutes > 0


def test_the_mixture_judges_texts(
    base: tuple[Path, tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    short = TaskPace(epochs=2, learning_rate=1e-3)
    monkeypatch.setattr("finetune.intent_model.pace_for", lambda count, *, seed: short)
    learn = Labelled((*TEXTS, "tell me a joke"), (*NAMES, "oos"))
    head = fit_intents(learn, None, FakeEncoder(), seed=0)

    model, _ = fit_mixed(
        head, learn, None, base, seed=0, loss=0.01, budget_minutes=None, shares=(0.0, 0.5), progress=silent
    )

    assert model is not None
    judged = model.judge(TEXTS)
    assert (judged.best == np.array(NAMES)).mean() > 0.8
    assert ((judged.belongs >= 0) & (judged.belongs <= 1)).all()


def test_the_network_learns_anew_from_the_held_out_texts_too(
    base: tuple[Path, tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    short = TaskPace(epochs=2, learning_rate=1e-3)
    monkeypatch.setattr("finetune.intent_model.pace_for", lambda count, *, seed: short)
    every = Labelled(tuple(TEXTS), tuple(NAMES))
    fewer = Labelled(tuple(TEXTS[1:]), tuple(NAMES[1:]))
    head = fit_intents(fewer, every, FakeEncoder(), seed=0)
    mixed, _ = fit_mixed(
        head, fewer, every, base, seed=0, loss=0.01, budget_minutes=None, shares=(0.5,), progress=silent
    )
    assert mixed is not None

    again = learned_from_all(mixed, head, every, base, seed=0, progress=silent)

    assert (again.share, again.threshold) == (mixed.share, mixed.threshold)
    assert (again.judge(TEXTS).best == np.array(NAMES)).mean() > 0.8
    assert not torch.equal(again.network.centres, mixed.network.centres)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a sentence-transformers folder"):
        open_classifier((tmp_path, ("", "")), EVERY_LAYER, classes=3)


def test_messages_without_a_label_join_the_training_part_and_nothing_else(tmp_path: Path) -> None:
    learn = tuple(map(Example, TEXTS[:-1], NAMES[:-1]))
    judged = (Example(TEXTS[-1], NAMES[-1]),)
    logs = tmp_path / "logs.csv"
    more = [f"{text} then" for text in TEXTS[:4]]
    logs.write_text("\n".join(["text", *more, more[0], TEXTS[0], TEXTS[-1].upper()]), "utf-8")

    wider = with_unlabelled(
        Split(learn, judged, judged, {"train": "known"}), logs, FakeEncoder(), seed=0, progress=silent
    )

    assert wider.learn == (*learn, *map(Example, more, NAMES[:4]))
    assert (wider.valid, wider.test) == (judged, judged)
    assert wider.data["guessed"] == 4
    assert wider.data["unlabelled"]["examples"] == 7
    assert wider.data["train"] == "known"
