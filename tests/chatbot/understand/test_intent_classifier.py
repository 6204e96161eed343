"""Which intent a question has, and how sure that is."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import numpy as np
import pytest

from chatbot.understand.intent import IntentClassifier, out_of_scope
from fakes import FakeEncoder
from knowledge.sources.intents import Intent, Template
from knowledge.types import Encoder, Matrix

ANSWER = [Template(text={"zh": "好", "en": "ok"})]


def intent(name: str, *examples: str) -> Intent:
    return Intent(name=name, examples={"en": list(examples)}, templates=ANSWER)


INTENTS = [
    intent(
        "order_status",
        "where is my order",
        "track my order",
        "order status please",
        "has my order shipped",
        "Hi, my order is late",
    ),
    intent(
        "refund",
        "I want a refund",
        "give me my money back",
        "refund my payment",
        "money back please",
        "refund please",
    ),
    intent("smalltalk.thanks", "thanks", "thank you", "ok thanks", "many thanks", "thanks a lot"),
]
NEGATIVES = [
    "which payment methods are there",
    "do you ship to Canada",
    "what are your opening hours",
    "track my order",
]


class CountingEncoder(FakeEncoder):
    """Counts what it encodes."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def encode_queries(self, texts: list[str]) -> Matrix:  # type: ignore[override]
        self.texts += texts
        return super().encode_queries(texts)


@pytest.fixture(scope="module")
def classifier() -> IntentClassifier:
    return IntentClassifier.fit(INTENTS, FakeEncoder(), negatives=NEGATIVES)


def test_an_example_is_certain_however_it_is_cased_and_punctuated(classifier: IntentClassifier) -> None:
    guess = classifier.classify("WHERE is my order?!")

    assert (guess.intent, guess.exact) == ("order_status", True)
    assert guess.confidence > 0.99


def test_an_example_with_a_greeting_is_also_known_without_it(classifier: IntentClassifier) -> None:
    assert classifier.exact("my order is late") == "order_status"
    assert classifier.exact("ok") is None


def test_a_paraphrase_gets_its_intent_and_a_stranger_little_confidence(classifier: IntentClassifier) -> None:
    near = classifier.classify("please track where my order is")
    far = classifier.classify("recommend a song about xylophones")

    assert near.intent == "order_status"
    assert near.confidence > 0.5 > far.confidence
    assert max(near.scores, key=lambda name: near.scores[name]) == "order_status"
    assert len(near.scores) <= 3


def test_a_question_of_the_knowledge_is_word_for_word_no_intent(classifier: IntentClassifier) -> None:
    guess = classifier.classify("Do you ship to Canada?")

    assert (guess.intent, guess.confidence, guess.exact) == (None, 0.0, True)


def test_an_example_stays_an_example_when_it_is_also_a_question_of_the_knowledge(
    classifier: IntentClassifier,
) -> None:
    assert classifier.classify("track my order").intent == "order_status"


def test_a_sentence_known_as_out_of_scope_has_no_confidence(classifier: IntentClassifier) -> None:
    assert classifier.classify(out_of_scope("en")[0]).confidence == 0.0


def test_fitting_twice_gives_the_same_classifier() -> None:
    one = IntentClassifier.fit(INTENTS, FakeEncoder(), negatives=NEGATIVES)
    two = IntentClassifier.fit(INTENTS, FakeEncoder(), negatives=NEGATIVES[::-1])

    assert one.version == two.version
    assert one.classify("where did you ship it") == two.classify("where did you ship it")


def test_the_version_changes_with_the_examples() -> None:
    changed = [*INTENTS[:2], intent("smalltalk.thanks", "thanks", "cheers")]

    assert (
        IntentClassifier.fit(changed, FakeEncoder()).version
        != IntentClassifier.fit(INTENTS, FakeEncoder()).version
    )


def test_exactly_the_query_is_encoded_so_that_retrieval_finds_it_in_the_cache() -> None:
    encoder = CountingEncoder()
    classifier = IntentClassifier.fit(INTENTS, encoder)
    encoder.texts.clear()

    classifier.classify("Where, please, is my parcel?")

    assert encoder.texts == ["Where, please, is my parcel?"]


def test_a_stored_classifier_is_found_again_and_encodes_nothing(tmp_path: Path) -> None:
    fitted = IntentClassifier.fit(INTENTS, FakeEncoder(), negatives=NEGATIVES, folder=tmp_path)
    encoder = CountingEncoder()

    found = IntentClassifier.fit(INTENTS, encoder, negatives=NEGATIVES, folder=tmp_path)

    assert encoder.texts == []
    assert found.classify("parcel tracking") == fitted.classify("parcel tracking")


def test_a_damaged_file_is_fitted_anew_and_an_old_one_removed(tmp_path: Path) -> None:
    IntentClassifier.fit(INTENTS[:2], FakeEncoder(), folder=tmp_path)
    fitted = IntentClassifier.fit(INTENTS, FakeEncoder(), folder=tmp_path)
    (path,) = tmp_path.glob("intents-*.npz")
    path.write_bytes(path.read_bytes()[:100])

    again = IntentClassifier.fit(INTENTS, FakeEncoder(), folder=tmp_path)

    assert again.classify("parcel tracking") == fitted.classify("parcel tracking")


@pytest.mark.parametrize("intents", [[], [Intent(name="empty", templates=ANSWER)]])
def test_without_examples_nothing_is_guessed(intents: list[Intent]) -> None:
    guess = IntentClassifier.fit(intents, FakeEncoder()).classify("where is my order")

    assert (guess.intent, guess.confidence) == (None, 0.0)


def test_single_examples_and_no_strangers_still_fit() -> None:
    few = IntentClassifier.fit([intent("a.one", "track my order")], FakeEncoder(), strangers=[])
    two = IntentClassifier.fit(
        [intent("a.one", "track it"), intent("b.two", "refund me")], FakeEncoder(), strangers=[]
    )

    assert few.classify("track order").intent == "a.one"
    assert two.classify("please refund").intent == "b.two"


def test_ten_thousand_questions_are_sampled() -> None:
    encoder = CountingEncoder()

    IntentClassifier.fit(INTENTS, encoder, negatives=[f"question number {at}" for at in range(10_000)])

    assert len(encoder.texts) < 1100


def test_the_built_in_strangers_are_many_and_different() -> None:
    for language in ("zh", "en"):
        sentences = out_of_scope(language)

        assert len(sentences) == len(set(sentences)) >= 150


@pytest.mark.models
def test_ten_examples_an_intent_are_enough_for_real_bank_questions(
    encoder: Encoder, shared_data: Path
) -> None:
    train = _rows(shared_data / "intents/banking77/train_10shot.csv")
    some = sorted({row["intent"] for row in train})[::2]
    train = [row for row in train if row["intent"] in some]
    test = [row for row in _rows(shared_data / "intents/banking77/test.csv") if row["intent"] in some]
    test = random.Random(0).sample(test, 100)
    by_name: dict[str, list[str]] = {}
    for row in train:
        by_name.setdefault(row["intent"].lower().rstrip("?"), []).append(row["text"])
    intents = [intent(name, *texts) for name, texts in by_name.items()]

    classifier = IntentClassifier.fit(intents, encoder)
    guesses = [classifier.classify(row["text"]) for row in test]

    right = np.array(
        [guess.intent == row["intent"].lower().rstrip("?") for guess, row in zip(guesses, test, strict=True)]
    )
    sure = np.array([guess.confidence >= 0.5 for guess in guesses])
    assert right.mean() >= 0.75
    assert right[sure].mean() >= 0.85


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_a_fine_tuned_model_has_its_say_among_the_intents_it_knows() -> None:
    alone = IntentClassifier.fit(INTENTS, FakeEncoder(), negatives=NEGATIVES)
    query = "has my refund shipped"
    sure = {"order_status": 0.001, "refund": 0.999, "unknown": 0.0}
    mixed = IntentClassifier.fit(INTENTS, FakeEncoder(), negatives=NEGATIVES, tuned=lambda _: sure)
    contrary = IntentClassifier.fit(
        INTENTS,
        FakeEncoder(),
        negatives=NEGATIVES,
        tuned=lambda _: {"order_status": 0.999, "refund": 0.001},
    )

    before, after, other = (one.classify(query) for one in (alone, mixed, contrary))

    assert after.scores["refund"] >= before.scores["refund"]
    assert other.scores.get("order_status", 0) > before.scores.get("order_status", 0)
    assert after.intent == "refund"
    assert after.scores.get("smalltalk.thanks", 0) <= 0.2, "what it does not know keeps its share"


def test_a_fine_tuned_model_is_not_asked_what_is_known_word_for_word() -> None:
    asked: list[str] = []

    def tuned(text: str) -> dict[str, float]:
        asked.append(text)
        return {"refund": 1.0}

    classifier = IntentClassifier.fit(INTENTS, FakeEncoder(), negatives=NEGATIVES, tuned=tuned)

    assert classifier.classify("where is my order").intent == "order_status"
    assert asked == []
