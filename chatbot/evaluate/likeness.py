"""How alike a written text and the expected one are: exact match, BLEU, ROUGE-L; Chinese by characters."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rapidfuzz.distance import LCSseq

from chatbot.understand.language import HAN
from knowledge.lexical import bare, fold

_PIECE = re.compile(rf"{HAN.pattern}|[^\W_]+")


def exact_match(written: str, expected: str) -> bool:
    """Whether they have the same letters and digits in the same order; case, width and signs do not count."""
    return bare(written) == bare(expected)


def bleu(written: Sequence[str], expected: Sequence[str]) -> float:
    """Corpus BLEU, 0..100, by sacrebleu: tokenizer "zh" when the expected texts have Chinese, else "13a"."""
    from sacrebleu import corpus_bleu

    tokenizer = "zh" if any(HAN.search(text) for text in expected) else "13a"
    return float(corpus_bleu(list(written), [list(expected)], tokenize=tokenizer).score)


def rouge_l(written: str, expected: str) -> float:
    """F1 of the longest common subsequence of words (Chinese: characters), 0..1.

    Source: Lin (2004); for English as google's rouge_score without stemming.
    """
    ours, theirs = pieces_of(written), pieces_of(expected)
    if not ours or not theirs:
        return float(ours == theirs)
    common = LCSseq.similarity(ours, theirs)
    return 2 * common / (len(ours) + len(theirs))


def pieces_of(text: str) -> list[str]:
    """Words in lower case, each Chinese character by itself."""
    return _PIECE.findall(fold(text))
