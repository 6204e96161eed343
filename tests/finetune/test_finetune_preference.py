"""Thumbs move the dialogue model towards what was liked, and not far from where it was."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from tiny_gemma import write_tiny_gemma

from chatbot.registry import Registry
from chatbot.types import AnswerFrom, Citation, Message, Rating, Reply, Turn, Understanding
from fakes import FakeEncoder
from finetune.conversations import read_worlds
from finetune.decoder import LearningDecoder, rows
from finetune.dialogue import ModelTable
from finetune.preference import Liking, PreferenceData, PreferencePace, PreferenceRun, train_preference
from finetune.run import Making, read_run
from finetune.thumbs import Thumb, read_thumbs, require_both, thumbs_of
from knowledge.errors import KnowledgeError, ModelError
from knowledge.types import Hit, Passage

SMALL = Path(__file__).parent / "data" / "companies"
RUN = PreferenceRun(
    model=ModelTable(first_layer=1, rank=4),
    data=PreferenceData(held_out=("small-en", "small-zh")),
    train=PreferencePace(epochs=3, learning_rate=1e-2, most_divergence=1000.0),
)
LIKED, DISLIKED = "Parcels take 3 days.", "Ask somebody else!"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gemma(tmp_path_factory.mktemp("tiny"))


def silent(what: str, done: float) -> None: ...


def thumb(number: int, *, liked: bool) -> Thumb:
    return Thumb.model_validate(
        {
            "passages": [{"id": "a", "title": "Parcels", "text": LIKED}],
            "messages": [{"role": "user", "content": f"how long, number {number}"}],
            "answer": LIKED if liked else DISLIKED,
            "cites": ["a"],
            "liked": liked,
        }
    )


THUMBS = [thumb(number, liked=number % 2 == 0) for number in range(20)]


def test_what_was_liked_becomes_likelier_than_what_was_not(base: Path, tmp_path: Path) -> None:
    start = tmp_path / "start"
    start.mkdir()
    LearningDecoder(base, first=1, rank=4).save(start)

    metrics = train_preference(
        THUMBS,
        read_worlds(SMALL),
        RUN,
        start=start,
        base=(base, "gemma3"),
        encoder=FakeEncoder(),
        making=Making(Registry(tmp_path / "models"), "liked", tmp_path / "runs", silent),
    )

    assert metrics["preferred_before"] == 0.5
    assert metrics["preferred"] > 0.9
    assert metrics["epochs"][-1]["loss"] < metrics["epochs"][0]["loss"]
    assert metrics["examples"] == {"liked": 10, "disliked": 10}
    assert (tmp_path / "models" / "dialogue" / "liked" / "adapter.gguf").is_file()


def test_a_model_that_goes_too_far_is_judged_as_nothing(base: Path) -> None:
    decoder = LearningDecoder(base, first=1, rank=4)
    strict = RUN.model_copy(update={"train": RUN.train.model_copy(update={"most_divergence": 0.01})})
    liking = Liking(decoder, THUMBS, strict, FakeEncoder())
    assert liking.judge() == 0.5

    with torch.no_grad():
        for weight in decoder.learned().values():
            weight.add_(0.1)
    assert liking.judge() == 0.0
    assert liking.divergence() > 0.01


def _turn(decision: AnswerFrom, name: str = "t") -> Turn:
    passage = Passage("a", LIKED, "Parcels", "document", "en")
    message = Message("c", "how long?", datetime(2026, 1, 5, tzinfo=UTC))
    reply = Reply(f"{LIKED} [1]", (Citation("a", "Parcels", LIKED, "document"),))
    understood = Understanding(query="how long?", language="en")
    return Turn(name, message, understood, (Hit(passage, 0.4, 1),), decision, reply, {}, {})


def test_only_composed_replies_that_were_rated_are_learned_from() -> None:
    composed, stored = AnswerFrom(("a",), verbatim=False), AnswerFrom(("a",), verbatim=True)
    turns = [_turn(stored, "1"), _turn(composed, "2"), _turn(composed, "3")]

    found = thumbs_of(turns, {"1": Rating("1", "up"), "2": Rating("2", "down")})

    (one,) = found
    assert (one.answer, one.cites, one.liked) == (LIKED, ("a",), False)
    assert [line.role for line in one.messages] == ["user", "assistant", "user"]
    assert one.passages[0].text == LIKED


def test_thumbs_of_one_kind_teach_nothing() -> None:
    with pytest.raises(KnowledgeError, match="1 composed replies with a thumb up and 0 with a thumb down"):
        require_both([thumb(0, liked=True)])


def test_a_line_that_is_no_thumb_is_named(tmp_path: Path) -> None:
    path = tmp_path / "thumbs.jsonl"
    path.write_text(thumb(0, liked=True).model_dump_json() + '\n\n{"liked": true}\n', "utf-8")

    with pytest.raises(KnowledgeError, match="line 3: passages"):
        read_thumbs(path)
    with pytest.raises(KnowledgeError, match="cannot be read"):
        read_thumbs(tmp_path / "none.jsonl")


def test_the_sample_run_is_valid() -> None:
    sample = Path(__file__).parents[2] / "finetune" / "runs" / "preference.toml"
    assert read_run(sample, PreferenceRun, sample="preference.toml").train.beta == 0.1


def test_a_model_that_learned_in_other_layers_is_not_half_taken(base: Path, tmp_path: Path) -> None:
    LearningDecoder(base, first=0, rank=4).save(tmp_path)

    for first, rank in ((1, 4), (0, 8)):
        with pytest.raises(ModelError, match="learned with first_layer = 0 and rank = 4"):
            LearningDecoder(base, first=first, rank=rank).load(tmp_path)

    LearningDecoder(base, first=0, rank=4).load(tmp_path)


def test_checkpointing_gives_the_same_gradients(base: Path) -> None:
    read = rows([([5, 6, 7], [8, 9], [1.0, 1.0])])
    found = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        decoder = LearningDecoder(base, first=1, rank=4, checkpointing=checkpointing).train()
        for name, weight in decoder.learned().items():
            torch.manual_seed(len(name))
            weight.data = torch.randn_like(weight) * 0.1
        decoder.loss(read).backward()
        found.append([weight.grad for weight in decoder.learned().values()])

    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(*found, strict=True))
    assert any(grad.abs().max() > 0 for grad in found[0])
