"""The encoder learns to tell intents apart; its share beside the head is chosen on held-out texts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel

from chatbot.evaluate.intents import Labelled, fit_intents
from fakes import FakeEncoder
from finetune.intent import Start, estimated_minutes, plan_for, prepare, train
from finetune.intent_model import fit_mixed
from knowledge.errors import ModelError

FRAMES = {"track": "where is my {}", "return": "send back the {}", "price": "what does the {} cost"}
THINGS = ["lamp", "chair", "table", "sofa", "desk", "shelf", "mirror", "carpet", "stool", "bed"]
TEXTS = [frame.format(thing) for frame in FRAMES.values() for thing in THINGS]
NAMES = [name for name in FRAMES for _ in THINGS]
LABELS = np.repeat(np.arange(3), len(THINGS))


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """A BERT of two narrow layers with random weights, and a tokenizer of the words above."""
    words = sorted({word for text in TEXTS for word in text.split()})
    vocabulary = {word: place for place, word in enumerate(["[UNK]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=80,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "bert"
    return Start(tmp_path, prefix="")


def silent(what: str, done: float) -> None: ...


def test_intents_are_learned_and_word_embeddings_stay(start: Start) -> None:
    plan = replace(plan_for(len(TEXTS)), epochs=12)
    training = prepare(TEXTS, LABELS, start, plan=plan, seed=0)
    before = training.network.body.embeddings.word_embeddings.weight.clone()

    network = train(training, held_out=(TEXTS[::3], LABELS[::3]), progress=silent)

    assert (network.probabilities(TEXTS).argmax(axis=1) == LABELS).mean() > 0.9
    assert torch.equal(network.body.embeddings.word_embeddings.weight, before)


def test_the_estimate_changes_no_weight(start: Start) -> None:
    training = prepare(TEXTS, LABELS, start, plan=plan_for(len(TEXTS)), seed=0)
    before = training.network.centres.detach().clone()

    minutes = estimated_minutes(training)

    assert minutes > 0
    assert torch.equal(training.network.centres, before)


def test_many_examples_get_five_epochs_and_few_get_more() -> None:
    assert (plan_for(10_000).epochs, plan_for(770).epochs) == (5, 15)


def test_no_time_means_no_training(start: Start) -> None:
    learn = Labelled(tuple(TEXTS), tuple(NAMES))
    head = fit_intents(learn, None, FakeEncoder(), seed=0)

    model, minutes = fit_mixed(
        head, learn, None, start, seed=0, loss=0.01, budget_minutes=0.0, shares=(0.5,), progress=silent
    )

    assert model is None
    assert minutes > 0


def test_the_mixture_judges_texts(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finetune.intent_model.plan_for", lambda count: replace(plan_for(count), epochs=2))
    learn = Labelled((*TEXTS, "tell me a joke"), (*NAMES, "oos"))
    head = fit_intents(learn, None, FakeEncoder(), seed=0)

    model, _ = fit_mixed(
        head, learn, None, start, seed=0, loss=0.01, budget_minutes=None, shares=(0.0, 0.5), progress=silent
    )

    assert model is not None
    judged = model.judge(TEXTS)
    assert (judged.best == np.array(NAMES)).mean() > 0.8
    assert ((judged.belongs >= 0) & (judged.belongs <= 1)).all()


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be trained"):
        prepare(TEXTS, LABELS, Start(tmp_path, prefix=""), plan=plan_for(30), seed=0)
