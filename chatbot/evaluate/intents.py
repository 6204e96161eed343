"""How well intents are recognised: fit on labelled texts, judge others, with out-of-scope texts among them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from chatbot.understand.head import NOTHING, Head, fit_head
from chatbot.understand.outside import (
    Detector,
    Flags,
    Signs,
    choose_threshold,
    fit_detector,
    signs_of,
    signs_of_examples,
    signs_of_left_out_intents,
)
from chatbot.understand.spreading import spread
from knowledge.errors import KnowledgeError
from knowledge.types import Encoder, Matrix, Progress

OUT_OF_SCOPE = "oos"
LOSS = 0.01
"""Share of the in-scope texts whose right answer the threshold may cost."""

_LIKELY = 0.5
"""P(it has an intent) from which a message without a label is learned from."""

Names = npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Texts with their intents; "oos" is out of scope."""

    texts: tuple[str, ...]
    intents: tuple[str, ...]

    @property
    def inside(self) -> Flags:
        """Whether each has an intent."""
        return np.array([intent != OUT_OF_SCOPE for intent in self.intents], np.bool_)


@dataclass(frozen=True, slots=True)
class Judged:
    """What a model says about texts."""

    best: Names
    """The best intent of each, whatever the threshold."""
    belongs: Matrix
    """P(it has an intent at all), shape (texts,)."""


class IntentModel(Protocol):
    """Anything that judges texts: the head, a fine-tuned encoder."""

    @property
    def threshold(self) -> float:
        """P(there is an intent) under which a text is refused."""
        ...

    def judge(self, texts: Sequence[str]) -> Judged:
        """The best intents and the chance that there is one."""
        ...


class HeadModel:
    """The head over the frozen encoder with its detector of out-of-scope texts; made by `fit_intents`."""

    def __init__(self, head: Head, detector: Detector, threshold: float) -> None:
        self.head = head
        self.detector = detector
        self.threshold = threshold

    def judge(self, texts: Sequence[str]) -> Judged:
        """The best intents and the chance that there is one."""
        best, signs = _look(self.head, texts)
        return Judged(best, self.detector.belongs(signs))

    @property
    def expected(self) -> float:
        """Accuracy on the examples, each left out in turn."""
        fit = self.head.fit
        inside = fit.labels != NOTHING
        return float((fit.left_out.argmax(axis=1) == fit.labels)[inside].mean())


def fit_intents(
    train: Labelled,
    valid: Labelled | None,
    encoder: Encoder,
    *,
    seed: int,
    loss: float = LOSS,
    progress: Progress | None = None,
) -> HeadModel:
    """Fit head, detector and threshold.

    The detector learns from intents left out in turn, from the training texts themselves (each left out), and
    from the validation texts when out-of-scope texts are among them. The threshold comes from the validation
    texts when there are any, else from the training texts left out.

    Raises:
        KnowledgeError: No training text has an intent.
    """
    if not train.inside.any():
        raise KnowledgeError("No training text has an intent: all are 'oos'. Add examples of at least one.")
    head = _head_of(train, encoder, seed=seed, progress=progress)
    own = signs_of_examples(head.fit)
    groups = [own]
    strange = signs_of_left_out_intents(head.fit, seed=seed)
    if strange:
        groups.append(strange)
    right = (head.fit.left_out.argmax(axis=1) == head.fit.labels)[own.inside]
    trial = own
    if valid and valid.inside.any():
        best, values = _look(head, valid.texts)
        trial = Signs(values, valid.inside)
        right = (best == np.array(valid.intents))[valid.inside]
        if not valid.inside.all():
            groups.append(trial)
    detector = fit_detector(groups)
    threshold = choose_threshold(detector.belongs(trial.values[trial.inside]), right, loss=loss)
    return HeadModel(head, detector, threshold)


def learned_from_all(
    model: HeadModel,
    train: Labelled,
    valid: Labelled,
    encoder: Encoder,
    *,
    seed: int,
    progress: Progress | None,
) -> HeadModel:
    """The same choices, the head fitted anew on the validation texts too: they have done their work as judges."""
    head = _head_of(together(train, valid), encoder, seed=seed, progress=progress)
    return HeadModel(head, model.detector, model.threshold)


def together(train: Labelled, valid: Labelled) -> Labelled:
    """All texts; those of the second whose intents the first does not know are left out."""
    names = {*train.intents, OUT_OF_SCOPE}
    pairs = [(t, i) for t, i in zip(valid.texts, valid.intents, strict=True) if i in names]
    return Labelled((*train.texts, *(t for t, _ in pairs)), (*train.intents, *(i for _, i in pairs)))


def with_guessed(model: HeadModel, learn: Labelled, unlabelled: Sequence[str]) -> Labelled:
    """The examples, and the messages that seem to belong to an intent, each with the one that its neighbours have.

    Args:
        model: Fitted on the examples: says which messages belong.
        learn: The examples.
        unlabelled: Messages whose intents nobody told; those that are examples are passed over.
    """
    known = {*learn.texts}
    others = [text for text in dict.fromkeys(unlabelled) if text not in known]
    belongs = model.judge(others).belongs if others else ()
    others = [text for text, share in zip(others, belongs, strict=True) if share >= _LIKELY]
    inside = [place for place, has in enumerate(learn.inside) if has]
    names = {name: number for number, name in enumerate(model.head.names)}
    look = model.head.viewer.encoder.encode_queries
    found, reached = spread(
        look([learn.texts[place] for place in inside]),
        np.array([names[learn.intents[place]] for place in inside], np.int64),
        look(others),
    )
    guessed = [
        (text, model.head.names[label])
        for text, label, share in zip(others, found, reached, strict=True)
        if share  # else no chain of neighbours leads to it from an example
    ]
    more, intents = zip(*guessed, strict=True) if guessed else ((), ())
    return Labelled((*learn.texts, *more), (*learn.intents, *intents))


def _head_of(texts: Labelled, encoder: Encoder, *, seed: int, progress: Progress | None) -> Head:
    labels = [None if intent == OUT_OF_SCOPE else intent for intent in texts.intents]
    return fit_head(texts.texts, labels, encoder, seed=seed, progress=progress)


def measure_intents(model: IntentModel, test: Labelled) -> dict[str, Any]:
    """The figures of `kefu eval intents` that the test texts give.

    `accuracy` and `macro_f1` are over the in-scope texts. Where the test has out-of-scope texts, an in-scope
    text under the threshold counts as wrong, because refusing costs something only where there is something to
    refuse; `accuracy_best_intent` never looks at the threshold, `accuracy_at_threshold` always does.

    Raises:
        KnowledgeError: No test text has an intent.
    """
    from sklearn.metrics import f1_score, roc_auc_score

    inside = test.inside
    if not inside.any():
        raise KnowledgeError(
            "No test text has an intent: all are 'oos'. Add in-scope texts to the test file."
        )
    judged = model.judge(test.texts)
    gold = np.array(test.intents)
    kept = judged.belongs >= model.threshold
    right = (judged.best == gold) & inside
    has_outside = not inside.all()
    said = np.where(kept, judged.best, OUT_OF_SCOPE) if has_outside else judged.best
    names = sorted(set(gold[inside]))
    refused = ~kept
    return {
        "accuracy": float((said == gold)[inside].mean()),
        "macro_f1": float(f1_score(gold, said, labels=names, average="macro", zero_division=0)),
        "oos_recall": float(refused[~inside].mean()) if has_outside else None,
        "oos_precision": float((~inside)[refused].mean()) if has_outside and refused.any() else None,
        "oos_auroc": float(roc_auc_score(inside, judged.belongs)) if has_outside else None,
        "threshold": model.threshold,
        "accuracy_best_intent": float(right[inside].mean()),
        "accuracy_at_threshold": float((right & kept)[inside].mean()),
        "most_confused": _confusions(gold[inside], judged.best[inside]),
    }


def ms_per_query(model: IntentModel, texts: Sequence[str], *, most: int = 100) -> float:
    """Median time of one text judged alone, encoding included, in milliseconds."""
    times = []
    for text in list(texts)[:: max(1, len(texts) // most)][:most]:
        start = time.perf_counter()
        model.judge([text])
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


def _look(head: Head, texts: Sequence[str]) -> tuple[Names, Matrix]:
    views = head.viewer.look(texts)
    scores = head.fit.scores(views)
    return np.array(head.names)[scores.argmax(axis=1)], signs_of(head.fit, views, scores)


def _confusions(gold: Names, said: Names, *, most: int = 8) -> Mapping[str, int]:
    """The pairs of intents that are taken for each other most often: "gold > said"."""
    wrong = Counter(f"{a} > {b}" for a, b in zip(gold, said, strict=True) if a != b)
    return dict(wrong.most_common(most))
