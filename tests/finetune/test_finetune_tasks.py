"""Intents, sentiment and slots are learned from files, judged on what was not learned, and survive a kill."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_bert import write_tiny_bert
from tiny_texts import FRAMES
from tiny_texts import TWELVE as THINGS

from chatbot.evaluate.files import TaggedSentence
from chatbot.registry import Registry
from finetune.classifier import TaskPace, TaskTable
from finetune.examples import DataTable, Example, Split, read_examples, read_split, split
from finetune.intent import IntentRun, intents_of_project, train_intent
from finetune.run import Making, read_run
from finetune.sentiment import SentimentRun, train_sentiment
from finetune.slots import SlotsRun, SlotsTable, train_slots
from finetune.tagging import SlotsPace, best_path, open_tagger
from knowledge.errors import KnowledgeError, ModelError, SettingsError

CITIES = ["Paris", "Rome", "New York", "San Marino", "Oslo", "Cairo"]
MODEL = TaskTable(first_layer=1, rank=8, longest=32)
Base = tuple[Path, tuple[str, str]]
Trainer = Callable[..., dict[str, object]]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    texts = [*(frame.format(thing) for frame in FRAMES.values() for thing in THINGS), *CITIES]
    words = [word for text in texts for word in text.split()]
    extra = ["tell", "joke", "from", "to", "银行", "query:", "ship", "it"]
    return write_tiny_bert(tmp_path_factory.mktemp("tiny"), [*words, *extra]), ("", "")


def silent(what: str, done: float) -> None: ...


def intents() -> Split[Example]:
    every = [Example(frame.format(thing), name) for name, frame in FRAMES.items() for thing in THINGS]
    return split(
        [*every, Example("tell joke", "oos")],
        test=[*every[::4], Example("tell joke", "oos")],
        data={},
        text=lambda one: one.text,
        label=lambda one: one.label,
        seed=0,
    )


def sentences() -> Split[TaggedSentence]:
    def sentence(thing: str, city: str, *, first: bool) -> TaggedSentence:
        parts = city.split()
        place = [("B-city" if not number else "I-city", word) for number, word in enumerate(parts)]
        rest = [("O", "ship"), ("B-thing", thing), ("O", "to")]
        tagged = [*place, *rest] if first else [*rest, *place]
        return TaggedSentence(tuple(word for _, word in tagged), tuple(tag for tag, _ in tagged))

    every = [sentence(t, c, first=n % 2 == 0) for n, t in enumerate(THINGS) for c in CITIES]
    return split(every, data={}, text=lambda one: " ".join(one.words), label=lambda one: one.tags[0], seed=0)


def train_a_tagger(
    base: Base, folder: Path, *, progress: Callable[[str, float], None] = silent
) -> dict[str, object]:
    run = SlotsRun(
        model=SlotsTable(first_layer=1, rank=8, longest=32),
        train=SlotsPace(epochs=3, learning_rate=5e-3, batch_size=12, patience=9),
    )
    metrics = train_slots(
        sentences(),
        run,
        base=base,
        making=Making(Registry(folder / "models"), "first", folder / "work", progress),
    )
    return {key: value for key, value in metrics.items() if key != "seconds"}


def test_a_model_folder_holds_weights_labels_settings_figures_and_a_card(base: Base, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    run = IntentRun(model=MODEL, train=TaskPace(epochs=8, learning_rate=5e-3, batch_size=8, patience=8))

    metrics = train_intent(
        intents(), run, base=base, making=Making(registry, "first", tmp_path / "work", silent)
    )

    model = registry.model("intent", "first")
    assert model.metrics == metrics
    assert model.measured == ("accuracy", metrics["accuracy"], metrics["accuracy_before"])
    assert json.loads((model.folder / "labels.json").read_text()) == sorted(FRAMES)
    assert read_run(model.folder / "run.toml", IntentRun, sample="") == run
    assert "Accuracy on the test" in (model.folder / "README.md").read_text()
    assert {path.suffix for path in model.folder.iterdir()} == {".safetensors", ".json", ".toml", ".md"}
    assert list((tmp_path / "work").iterdir()) == []


def test_what_has_no_intent_is_judged_and_not_learned(base: Base, tmp_path: Path) -> None:
    run = IntentRun(model=MODEL, train=TaskPace(epochs=1, batch_size=8))

    metrics = train_intent(
        intents(), run, base=base, making=Making(Registry(tmp_path), "a", tmp_path / "w", silent)
    )

    assert metrics["intents"] == len(FRAMES)
    assert metrics["test"]["oos_auroc"] is not None


def test_layers_can_learn_without_lora(base: Base, tmp_path: Path) -> None:
    model = MODEL.model_copy(update={"rank": 0})
    run = SentimentRun(model=model, train=TaskPace(epochs=6, learning_rate=1e-3, batch_size=8, patience=6))
    examples = [example for example in intents().learn if example.label != "oos"]
    parts = split(examples, data={}, text=lambda one: one.text, label=lambda one: one.label, seed=0)

    metrics = train_sentiment(
        parts, run, base=base, making=Making(Registry(tmp_path), "a", tmp_path / "w", silent)
    )

    assert metrics["epochs"][-1]["loss"] < metrics["epochs"][0]["loss"]
    assert set(metrics["test"]["labels"]) == set(FRAMES)
    assert (tmp_path / "sentiment" / "a" / "layers.safetensors").is_file()


def test_slots_are_learned(base: Base, tmp_path: Path) -> None:
    metrics = train_a_tagger(base, tmp_path)

    assert metrics["f1"] > 0.9
    assert set(metrics["test"]["kinds"]) == {"city", "thing"}  # type: ignore[index]
    assert "| B-city |" in (tmp_path / "models" / "slots" / "first" / "README.md").read_text()


def test_a_killed_run_ends_with_the_figures_of_an_unbroken_one(base: Base, tmp_path: Path) -> None:
    whole = train_a_tagger(base, tmp_path / "whole")

    def kill(what: str, done: float) -> None:
        if what == "Fine-tuning the tagger" and done > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_a_tagger(base, tmp_path / "killed", progress=kill)
    told: list[str] = []

    resumed = train_a_tagger(base, tmp_path / "killed", progress=lambda what, _done: told.append(what))

    assert resumed == whole
    assert not any(what.startswith("Epoch 1") for what in told)
    weights = [
        (tmp_path / which / "models" / "slots" / "first" / "head.safetensors").read_bytes()
        for which in ("whole", "killed")
    ]
    assert weights[0] == weights[1]


def test_characters_of_one_token_have_tags_of_their_own(base: Base) -> None:
    tagger = open_tagger(base, MODEL, tags=["O", "B-org", "I-org"])

    read = tagger.read([TaggedSentence(("银", "行", "x"), ("B-org", "I-org", "O"))], progress=silent)[0]

    assert read.tokens.tolist() == [0, 0, 1]
    assert read.inside.tolist() == [False, True, False]
    assert read.tags.tolist() == [1, 2, 0]


def test_words_behind_the_longest_sentence_are_outside(base: Base) -> None:
    tagger = open_tagger(base, MODEL.model_copy(update={"longest": 8}), tags=["O", "B-a", "I-a"])
    sentence = TaggedSentence(("lamp",) * 12, ("B-a",) * 12)

    said = tagger.tag(tagger.read([sentence], progress=silent))[0]

    assert len(said) == 12
    assert said[8:] == ["O"] * 4


def test_nothing_goes_on_that_did_not_begin() -> None:
    forbidden = np.array([[0, 0, -1e4], [0, 0, 0], [0, 0, 0], [0, 0, -1e4]], np.float32)
    scores = np.log(np.array([[0.1, 0.3, 0.6], [0.3, 0.1, 0.6]], np.float32))

    path = best_path(scores, forbidden)

    assert path == [1, 2]


def test_what_is_judged_is_never_learned_from() -> None:
    every = [Example(f"text {number}", "a") for number in range(20)]

    parts = split(
        every,
        test=[Example("TEXT  3", "a")],
        data={},
        text=lambda one: one.text,
        label=lambda one: one.label,
        seed=0,
    )

    judged = {one.text for one in (*parts.valid, *parts.test)}
    assert not judged & {one.text for one in parts.learn}
    assert "text 3" not in {one.text for one in parts.learn}
    assert parts.data["left_out_because_judged"] >= 1


def test_files_are_named_with_their_hash(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "text,label\n" + "".join(f"good {n},yes\nbad {n},no\n" for n in range(10))
    )

    parts = read_split(
        DataTable(train=Path("a.csv")),
        read_examples("label"),
        root=tmp_path,
        text=lambda one: one.text,
        label=lambda one: one.label,
        seed=0,
    )

    assert parts.data["train"]["file"] == "a.csv"
    assert len(parts.data["train"]["sha256"]) == 64
    assert parts.counts == {"learn": 16, "valid": 2, "test": 2}


def test_a_run_without_data_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="names no training file"):
        read_split(DataTable(), read_examples("label"), root=tmp_path, text=str, label=str, seed=0)


def test_one_label_is_nothing_to_tell_apart(base: Base, tmp_path: Path) -> None:
    examples = intents_of_project({("track", "en"): [f"where {n}" for n in range(9)]}, seed=0)

    with pytest.raises(KnowledgeError, match="nothing to tell apart"):
        train_intent(
            examples,
            IntentRun(),
            base=base,
            making=Making(Registry(tmp_path), "a", tmp_path, silent),
        )


def test_a_name_is_given_once(base: Base, tmp_path: Path) -> None:
    train_a_tagger(base, tmp_path)

    with pytest.raises(ModelError, match="already is a slots model"):
        train_a_tagger(base, tmp_path)
