from __future__ import annotations

import pytest
from langchain_core.language_models import FakeListChatModel

from chatbot.evaluate.dialogue import Replied, dialogues_of, is_grounded, measure_dialogues
from chatbot.settings import GenerationSettings
from chatbot.understand.rewrite import Rewriter
from fakes import FakeEncoder
from knowledge.build import arrange
from knowledge.errors import KnowledgeError
from knowledge.search import SnapshotRetriever
from knowledge.settings import RetrievalSettings
from knowledge.types import Entry, Passage

HOTELS = {
    "kp": ("KIRKWOOD HOUSE: Is there parking?", "Parking at Kirkwood House is free."),
    "ap": ("ASTORIA LODGE: Is there parking?", "Parking at Astoria Lodge costs 5 euros."),
    "kb": ("KIRKWOOD HOUSE: What is for breakfast?", "Kirkwood House serves eggs and toast."),
}
ENTRIES = [
    Entry(Passage(f"faq:{name}", answer, question, "faq", "en"), (question,))
    for name, (question, answer) in HOTELS.items()
]
ROWS = [
    {
        "turns": [
            {"role": "user", "text": "I look for the Astoria Lodge"},
            {"role": "assistant", "text": "I found it. What would you like to know?"},
            {"role": "user", "text": "and parking?"},
            {"role": "assistant", "text": "this turn is left out"},
        ],
        "relevant_ids": ["ap"],
        "response": "Parking at Astoria Lodge costs 5 euros.",
    },
    {
        "turns": [{"role": "user", "text": "what about the weather"}],
        "relevant_ids": [],
        "response": "No idea.",
    },
]


def nothing(_what: str, _done: float) -> None:
    """Tells nobody."""


def figures_of(model: FakeListChatModel | None) -> dict[str, object]:
    encoder = FakeEncoder()
    retriever = SnapshotRetriever(arrange(ENTRIES, encoder, settings=RetrievalSettings()), encoder)
    rewriter = Rewriter([question for question, _ in HOTELS.values()])
    return measure_dialogues(
        dialogues_of(ROWS),
        retriever,
        rewriter,
        model=model,
        encoder=encoder,
        generation=GenerationSettings(),
        progress=nothing,
    )


def test_the_last_turn_of_the_customer_is_completed_from_the_turns_before_it() -> None:
    figures = figures_of(None)

    assert figures["n"] == 2
    assert figures["p_at_1"] == 1.0
    assert figures["p_at_1_bare"] == 0.0
    assert figures["recall_at_5"] == 1.0


def test_without_a_model_stored_answers_are_sent_and_no_speed_is_claimed() -> None:
    figures = figures_of(None)

    assert figures["grounded_rate"] == 1.0
    assert figures["composed_rate"] == 0.0
    assert figures["first_token_ms_p50"] is None
    assert figures["tokens_per_second"] is None


def test_a_model_writes_what_passes_the_guard_and_its_speed_is_measured() -> None:
    figures = figures_of(FakeListChatModel(responses=["Parking at Astoria Lodge costs 5 euros."]))

    assert figures["composed_rate"] == 1.0
    assert figures["grounded_rate"] == 1.0
    assert isinstance(figures["first_token_ms_p50"], float)
    assert isinstance(figures["tokens_per_second"], float)


def test_a_reply_that_stands_in_no_source_is_not_grounded() -> None:
    source = ENTRIES[1].passage

    assert is_grounded(Replied("Parking at Astoria Lodge costs 5 euros.", (source,), composed=True))
    assert not is_grounded(Replied("Parking at Astoria Lodge costs 3 euros.", (source,), composed=True))
    assert not is_grounded(Replied(source.text + " Pets are welcome.", (source,), composed=True))


@pytest.mark.parametrize(
    "turns", ["hello", [{"text": "hello"}], [{"role": "assistant", "text": "hello"}], [], None]
)
def test_turns_without_a_customers_are_refused(turns: object) -> None:
    with pytest.raises(KnowledgeError, match="Row 1"):
        dialogues_of([{"turns": turns, "relevant_ids": [], "response": ""}])
