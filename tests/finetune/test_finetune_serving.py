"""Intents, feelings, names and values that were learned: the bot says of them what was measured, without torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_bert import write_tiny_bert
from tiny_texts import FRAMES
from tiny_texts import TWELVE as THINGS
from typer.testing import CliRunner

from chatbot.evaluate.files import TaggedSentence
from chatbot.registry import Registry
from chatbot.settings import Settings, load_settings
from chatbot.trained import (
    feelings_in_force,
    intents_in_force,
    learned_in_force,
    names_in_force,
    trained_feelings,
    trained_intents,
    trained_names,
)
from chatbot.types import VERY_UNHAPPY
from chatbot.understand.sentiment import sentiment_of
from finetune.classifier import TaskPace, TaskTable, open_classifier
from finetune.examples import Example, Split, split
from finetune.intent import IntentRun, train_intent
from finetune.run import Making
from finetune.sentiment import SentimentRun, train_sentiment
from finetune.slots import SlotsRun, SlotsTable, train_slots
from finetune.tagging import SlotsPace, open_tagger
from finetune.wordings import Text
from knowledge.errors import ModelError
from ui.cli import app

PREFIX = "query: "
MODEL = TaskTable(first_layer=1, rank=8, longest=9)
PACE = TaskPace(epochs=8, learning_rate=5e-3, batch_size=8, patience=8)
CITIES = ["Paris", "New York", "上海", "Oslo"]
WORDS = ["query", ":", "ship", "to", "it", "New", "York", "Paris", "Oslo", "上", "海", "not", "at", "all"]
Base = tuple[Path, tuple[str, str]]


def silent(what: str, done: float) -> None: ...


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    texts = [*(frame.format(thing) for frame in FRAMES.values() for thing in THINGS), *WORDS]
    folder = write_tiny_bert(
        tmp_path_factory.mktemp("tiny"), [word for text in texts for word in text.split()]
    )
    return folder, (PREFIX, "")


@pytest.fixture(scope="module")
def settings(base: Base, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "kefu.toml").write_text(
        '[knowledge.encoder]\nkind = "sentence_transformers"\n'
        f'model = "{base[0]}"\nquery_prefix = "{PREFIX}"\npassage_prefix = ""\n'
    )
    return load_settings(folder)


def examples(names: dict[str, str]) -> Split[Example]:
    """The frames under other names."""
    every = [
        Example(frame.format(thing), names.get(name, name))
        for name, frame in FRAMES.items()
        for thing in THINGS
    ]
    return split(every, data={}, text=lambda one: one.text, label=lambda one: one.label, seed=0)


def making(settings: Settings, name: str) -> Making:
    return Making(Registry(settings.models_folder), name, settings.models_folder / "runs", silent)


def feelings(settings: Settings, base: Base, name: str, names: dict[str, str]) -> Path:
    run = SentimentRun(model=MODEL, train=PACE)
    train_sentiment(examples(names), run, base=base, making=making(settings, name))
    return settings.models_folder / "sentiment" / name


def test_intents_are_served_as_they_were_learned(settings: Settings, base: Base) -> None:
    train_intent(
        examples({}), IntentRun(model=MODEL, train=PACE), base=base, making=making(settings, "first")
    )
    folder = settings.models_folder / "intent" / "first"
    network = open_classifier(base, MODEL, classes=len(FRAMES))
    network.load(folder)
    texts = ["where is my lamp", "send back it", "what does the rug cost to ship it to my chair or sofa"]
    expected = network.probabilities(
        network.encoder.below([Text(text, 0) for text in texts], progress=silent)
    )

    intents = trained_intents(settings, folder)

    served = np.array([[intents(text)[name] for name in sorted(FRAMES)] for text in texts])
    assert served == pytest.approx(expected, abs=2e-3)
    assert max(intents(texts[0]), key=lambda name: intents(texts[0])[name]) == "track"


def test_feelings_of_the_model_lie_between_calm_and_angry(settings: Settings, base: Base) -> None:
    folder = feelings(
        settings, base, "three", {"track": "neutral", "return": "negative", "price": "positive"}
    )

    feeling = trained_feelings(settings, folder)

    assert feeling("send back the lamp") < -0.3 < feeling("where is my lamp") < 0.2
    assert feeling("what does the lamp cost") > 0.2


def test_strong_words_stay_anger_whatever_the_model_says(settings: Settings, base: Base) -> None:
    folder = feelings(settings, base, "kind", {"track": "neutral", "return": "neutral", "price": "positive"})

    said = "this is fucking unacceptable, what does the lamp cost"

    assert trained_feelings(settings, folder)(said) == sentiment_of(said) <= VERY_UNHAPPY


@pytest.mark.parametrize(
    ("name", "names", "says"),
    [
        ("two", {"track": "negative", "return": "negative", "price": "positive"}, "labelled 'neutral'"),
        ("other", {"track": "neutral", "return": "meh", "price": "positive"}, "how bad 'meh' is"),
    ],
)
def test_a_model_whose_labels_are_no_feelings_is_not_promoted(
    settings: Settings, base: Base, name: str, names: dict[str, str], says: str
) -> None:
    feelings(settings, base, name, names)
    project = ["--project", str(settings.project.folder)]

    refused = CliRunner().invoke(app, [*project, "models", "promote", "sentiment", name, "--force"])

    assert isinstance(refused.exception, ModelError)
    assert says in str(refused.exception)
    assert feelings_in_force(settings) is sentiment_of


def tagged() -> Split[TaggedSentence]:
    """Ship a thing to a city, or to a city a thing."""

    def sentence(thing: str, city: str, *, first: bool) -> TaggedSentence:
        parts = list(city) if city == "上海" else city.split()
        place = [("I-city" if number else "B-city", word) for number, word in enumerate(parts)]
        rest = [("O", "ship"), ("B-thing", thing), ("O", "to")]
        found = [*place, *rest] if first else [*rest, *place]
        return TaggedSentence(tuple(word for _, word in found), tuple(tag for tag, _ in found))

    every = [sentence(thing, c, first=n % 2 == 0) for n, thing in enumerate(THINGS) for c in CITIES]
    return split(every, data={}, text=lambda one: " ".join(one.words), label=lambda one: one.tags[0], seed=0)


@pytest.fixture(scope="module")
def tagger(settings: Settings, base: Base) -> Path:
    run = SlotsRun(
        model=SlotsTable(first_layer=1, rank=8, longest=9),
        train=SlotsPace(epochs=6, learning_rate=5e-3, batch_size=12, patience=9),
    )
    metrics = train_slots(tagged(), run, base=base, making=making(settings, "first"))
    assert metrics["f1"] > 0.9
    return settings.models_folder / "slots" / "first"


def test_names_are_found_as_they_are_written(settings: Settings, tagger: Path) -> None:
    named = trained_names(settings, tagger)

    assert named("ship rug to New  York") == {"thing": ["rug"], "city": ["New  York"]}
    assert named("ship lamp to 上海") == {"thing": ["lamp"], "city": ["上海"]}
    assert named("") == {}


def test_words_are_tagged_as_when_they_were_learned(settings: Settings, base: Base, tagger: Path) -> None:
    network = open_tagger(
        base, SlotsTable(first_layer=1, rank=8, longest=9), tags=trained_names(settings, tagger).tags
    )
    network.load(tagger)
    sentences = [*tagged().test, TaggedSentence(("ship",) * 9 + ("rug",), ("O",) * 10)]

    for sentence, said in zip(sentences, network.tag(network.read(sentences, progress=silent)), strict=True):
        found = trained_names(settings, tagger)(" ".join(sentence.words))
        begins = [tag[2:] for tag in said if tag.startswith("B-")]
        assert [kind for kind, values in found.items() for _ in values] == sorted(
            begins, key=list(found).index
        )


def test_what_is_promoted_is_in_force_and_goes_with_a_rollback(settings: Settings, tagger: Path) -> None:
    project = ["--project", str(settings.project.folder)]
    assert intents_in_force(settings) is None
    assert names_in_force(settings)("ship rug to Paris") == {}

    promoted = CliRunner().invoke(app, [*project, "models", "promote", "slots", "first"])

    assert promoted.exit_code == 0, promoted.output
    assert names_in_force(settings)("ship rug to Paris") == {"thing": ["rug"], "city": ["Paris"]}
    assert learned_in_force(settings) == {"slots": "first"}
    assert "slots first" in CliRunner().invoke(app, [*project, "doctor"]).output
    labels = (tagger / "labels.json").read_text("utf-8")
    (tagger / "labels.json").write_text("[]")
    damaged = CliRunner().invoke(app, [*project, "doctor"])
    assert damaged.exit_code == 1
    assert "labels.json" in damaged.output
    (tagger / "labels.json").write_text(labels, "utf-8")
    CliRunner().invoke(app, [*project, "models", "rollback", "slots"])
    assert names_in_force(settings)("ship rug to Paris") == {}


def test_intents_of_another_company_are_not_promoted(settings: Settings, base: Base) -> None:
    train_intent(
        examples({}), IntentRun(model=MODEL, train=PACE), base=base, making=making(settings, "foreign")
    )
    project = ["--project", str(settings.project.folder)]

    refused = CliRunner().invoke(app, [*project, "models", "promote", "intent", "foreign", "--force"])

    assert isinstance(refused.exception, ModelError)
    assert "is an intent of this project" in str(refused.exception)


def test_a_model_for_what_the_bot_does_not_do_is_not_promoted(settings: Settings) -> None:
    with Registry(settings.models_folder).making("telepathy", "first") as place:
        (place / "metrics.json").write_text("{}")
    project = ["--project", str(settings.project.folder)]

    refused = CliRunner().invoke(app, [*project, "models", "promote", "telepathy", "first", "--force"])

    assert isinstance(refused.exception, ModelError)
    assert "answers without telepathy models" in str(refused.exception)
