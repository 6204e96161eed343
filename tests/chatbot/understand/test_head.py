"""The head over a frozen encoder: right, calibrated, and honest about what it has not seen."""

from __future__ import annotations

import numpy as np
import pytest

from chatbot.understand.head import Head, fit_head, softmax, solve, some_of_each
from chatbot.understand.kernels import Blend, likeness
from chatbot.understand.outside import (
    choose_threshold,
    fit_detector,
    signs_of,
    signs_of_examples,
    signs_of_left_out_intents,
)
from fakes import FakeEncoder

THINGS = [
    "blue lamp",
    "red chair",
    "green table",
    "old sofa",
    "new desk",
    "big shelf",
    "tiny stool",
    "oak bed",
]
FRAMES = {
    "track": "where is my parcel with the {}",
    "return": "i want to send back the {}",
    "price": "how much does the {} cost",
    "stock": "is the {} available in your shop",
}
TEXTS = [frame.format(thing) for frame in FRAMES.values() for thing in THINGS]
LABELS = [name for name in FRAMES for _ in THINGS]


@pytest.fixture(scope="module")
def head() -> Head:
    return fit_head(TEXTS, LABELS, FakeEncoder())


def test_texts_like_the_examples_are_recognised(head: Head) -> None:
    views = head.viewer.look(["where is my parcel with the garden hose", "how much does the hammock cost"])

    scores = head.fit.scores(views)

    assert [head.names[place] for place in scores.argmax(axis=1)] == ["track", "price"]
    assert head.probabilities(scores).max(axis=1).min() > 0.5
    assert np.allclose(head.probabilities(scores).sum(axis=1), 1, atol=1e-5)


def test_left_out_scores_are_what_a_head_without_the_example_says(head: Head) -> None:
    fit, without = head.fit, 5
    rest = np.delete(np.arange(len(TEXTS)), without)

    kernel = likeness(fit.examples, fit.examples, fit.recipe.blend).astype(np.float64)
    targets = (fit.labels[:, None] == np.arange(4)) - fit.bias
    system = kernel[np.ix_(rest, rest)] + fit.recipe.ridge * np.eye(len(rest))
    expected = kernel[without, rest] @ np.linalg.solve(system, targets[rest]) + fit.bias

    assert fit.left_out[without] == pytest.approx(expected, abs=2e-3)


def test_equal_seeds_give_equal_heads(head: Head) -> None:
    again = fit_head(TEXTS, LABELS, FakeEncoder())

    assert again.fit.recipe == head.fit.recipe
    assert np.array_equal(again.fit.weights, head.fit.weights)


def test_further_figures_decide_where_words_do_not() -> None:
    texts = ["the thing arrived", "it is here now", "the box came today", "my order was delivered"] * 6
    moods = (
        np.array([1.0, -1.0, 1.0, -1.0] * 6, np.float32)[:, None]
        * np.tile([1, 1, 1, 1, -1, -1, -1, -1], 3)[:, None]
    )
    labels = ["good" if mood > 0 else "bad" for mood in moods[:, 0]]

    head = fit_head(texts, labels, FakeEncoder(), figures=moods.astype(np.float32))
    views = head.viewer.look(["the thing arrived"] * 2, figures=np.array([[1.0], [-1.0]], np.float32))

    assert head.fit.recipe.blend.figures > 0
    assert [head.names[k] for k in head.fit.scores(views).argmax(axis=1)] == ["good", "bad"]


def test_out_of_scope_is_detected_without_any_example_of_it(head: Head) -> None:
    groups = [signs_of_examples(head.fit), signs_of_left_out_intents(head.fit, seed=0)]
    detector = fit_detector([group for group in groups if group is not None])

    def belongs(texts: list[str]) -> float:
        views = head.viewer.look(texts)
        return float(detector.belongs(signs_of(head.fit, views, head.fit.scores(views))).mean())

    assert belongs(["how much does the hammock cost"]) > 0.5
    assert belongs(["quantum theory for beginners", "sing along, little bird"]) < 0.2


def test_an_example_without_an_intent_is_scored_low() -> None:
    strange = ["tell me a joke about cats", "tell me a joke about dogs", "tell me a joke about bees"]

    head = fit_head([*TEXTS, *strange], [*LABELS, None, None, None], FakeEncoder())
    scores = head.fit.scores(head.viewer.look(["tell me a joke about cows"]))

    assert head.names == tuple(sorted(FRAMES))
    assert scores.max() < 0.4


def test_the_threshold_costs_no_more_right_answers_than_allowed() -> None:
    belongs = np.linspace(0.0, 1.0, 101).astype(np.float32)
    right = np.ones(101, np.bool_)

    threshold = choose_threshold(belongs, right, loss=0.05)

    assert (belongs < threshold).sum() == 5


def test_wrong_answers_are_refused_for_nothing() -> None:
    belongs = np.array([0.1, 0.2, 0.8, 0.9], np.float32)
    right = np.array([False, False, True, True])

    assert choose_threshold(belongs, right, loss=0.0) == pytest.approx(0.8)


def test_a_sample_keeps_every_class_in_its_proportion() -> None:
    labels = np.array([0] * 80 + [1] * 20, np.int64)

    chosen = some_of_each(labels, 10, seed=0)

    assert np.bincount(labels[chosen]).tolist() == [8, 2]


def test_one_intent_alone_is_no_error() -> None:
    head = fit_head(TEXTS[:8], LABELS[:8], FakeEncoder())

    assert head.fit.scores(head.viewer.look(["hello"])).shape == (1, 1)
    assert signs_of_left_out_intents(head.fit, seed=0) is None
    assert fit_detector([signs_of_examples(head.fit)]).belongs(signs_of_examples(head.fit).values).shape == (
        8,
    )


def test_more_examples_than_can_be_compared_are_sampled(monkeypatch: pytest.MonkeyPatch, head: Head) -> None:
    monkeypatch.setattr("chatbot.understand.head._MOST", 16)

    fit = solve(head.fit.examples, head.fit.labels, 4, head.fit.recipe, seed=0)

    assert len(fit.labels) == 16
    assert np.bincount(fit.labels).tolist() == [4, 4, 4, 4]


def test_no_texts_give_no_scores(head: Head) -> None:
    empty = head.fit.examples.rows(slice(0, 0))

    assert head.fit.scores(empty).shape == (0, 4)
    assert likeness(empty, head.fit.examples, Blend(1.0, 0.1, 0.0)).shape == (0, len(TEXTS))
    assert softmax(np.zeros((1, 2), np.float32)).tolist() == [[0.5, 0.5]]
