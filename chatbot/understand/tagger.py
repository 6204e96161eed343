"""Names and values in a sentence, learned from tagged examples: a linear-chain conditional random field.

Source: Lafferty et al. (2001), by CRFsuite (Okazaki), L-BFGS with L1 and L2. The features are those that
named-entity taggers had before neural networks: the word, its beginning and end, its shape, its neighbours, and
for Chinese, which is tagged by character, the word that the character belongs to.
"""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from knowledge.types import Progress

_ROUNDS = 80
"""Steps of L-BFGS; on CoNLL-2003 4 minutes on a busy 2-core machine, entity F1 .838 on its test."""
_WINDOW = (-2, -1, 1, 2)
_HAN = re.compile(r"[\u3400-\u9fff]")


class Tagger:
    """Tags the words of sentences; made by `fit_tagger`."""

    def __init__(self, model: bytes) -> None:
        import pycrfsuite

        # CRFsuite reads from these bytes as long as it tags, and does not keep them itself.
        self._model = model
        self._tagger: Any = pycrfsuite.Tagger()
        self._tagger.open_inmemory(self._model)

    def tag(self, words: Sequence[str]) -> list[str]:
        """A tag for each word: "O", "B-kind" or "I-kind"."""
        return [str(tag) for tag in self._tagger.tag(list(features(words)))] if words else []


def fit_tagger(
    sentences: Sequence[Sequence[str]], tags: Sequence[Sequence[str]], *, progress: Progress | None = None
) -> Tagger:
    """Learn from sentences and the tags of their words; deterministic.

    Args:
        sentences: Words of each sentence; Chinese by character.
        tags: Of each word.
        progress: Called with what is done and how much of it.
    """
    import pycrfsuite

    say = progress or (lambda _what, _done: None)

    class Steps(pycrfsuite.Trainer):  # type: ignore[misc]
        """Tells how far the learning is."""

        def message(self, line: str) -> None:
            found = re.search(r"Iteration #(\d+)", line)
            if found:
                say("Learning to tag", int(found[1]) / _ROUNDS)

    trainer = Steps(verbose=True)
    trainer.select("lbfgs")
    trainer.set_params(
        {"c1": 0.05, "c2": 0.05, "max_iterations": _ROUNDS, "feature.possible_transitions": True}
    )
    for done, (words, gold) in enumerate(zip(sentences, tags, strict=True)):
        trainer.append(list(features(words)), list(gold))
        if done % 1000 == 0:
            say("Reading examples", done / len(sentences))
    say("Reading examples", 1.0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tagger.crfsuite"
        trainer.train(str(path))
        say("Learning to tag", 1.0)
        return Tagger(path.read_bytes())


def features(words: Sequence[str]) -> Iterator[list[str]]:
    """What is seen of each word, in its sentence."""
    lowered = [word.lower() for word in words]
    shapes = [shape(word) for word in words]
    belonging = _chinese_words(words)
    last = len(words) - 1
    for place, word in enumerate(words):
        seen = ["bias", f"w={lowered[place]}", f"s={shapes[place]}", *belonging[place]]
        seen += [f"p{n}={word[:n]}" for n in (1, 2, 3) if len(word) > n]
        seen += [f"e{n}={lowered[place][-n:]}" for n in (1, 2, 3, 4) if len(word) > n]
        for step in _WINDOW:
            other = place + step
            if 0 <= other <= last:
                seen += [f"w{step}={lowered[other]}", f"s{step}={shapes[other]}"]
        if place:
            seen += [f"b-1={lowered[place - 1]}|{lowered[place]}", f"t-1={shapes[place - 1]}|{shapes[place]}"]
        else:
            seen.append("first")
        if place < last:
            seen += [f"b1={lowered[place]}|{lowered[place + 1]}", f"t1={shapes[place]}|{shapes[place + 1]}"]
        else:
            seen.append("last")
        if 0 < place < last:
            seen.append(f"b0={lowered[place - 1]}|{lowered[place + 1]}")
        yield seen


def shape(word: str) -> str:
    """Capitals X, small letters x, digits 9, Chinese 汉; runs are folded: "B-52s" is "X-9x"."""
    kinds = [_kind(character) for character in word]
    return "".join(kind for place, kind in enumerate(kinds) if not place or kinds[place - 1] != kind)


def _kind(character: str) -> str:
    if _HAN.match(character):
        return "汉"
    if character.isdigit():
        return "9"
    if character.isalpha():
        return "X" if character.isupper() else "x"
    return character


def _chinese_words(words: Sequence[str]) -> list[list[str]]:
    """For sentences tagged by character: the word around each, its neighbours, and the place in it."""
    if not words or any(len(word) > 1 for word in words) or not any(map(_HAN.match, words)):
        return [[] for _ in words]
    import jieba

    jieba.setLogLevel(logging.WARNING)
    parts = list(jieba.cut("".join(words)))
    seen: list[list[str]] = []
    for number, part in enumerate(parts):
        before = parts[number - 1] if number else ""
        after = parts[number + 1] if number + 1 < len(parts) else ""
        for place in range(len(part)):
            where = "BE"[place == len(part) - 1] if place in (0, len(part) - 1) else "M"
            where = "S" if len(part) == 1 else where
            seen.append([f"j={part}", f"jp={where}", f"j-1={before}", f"j1={after}", f"jl={part[-1]}"])
    return seen
