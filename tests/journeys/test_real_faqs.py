"""The main job on real input: other people's FAQs and documents, asked as their customers would ask.

Each set is imported into a fresh project, and thirty questions (`questions/<set>.yaml`) are put to it, each in
a conversation of its own, with the thresholds a new user has: the shipped ones, in strict mode. There is no
dialogue model, so that every reply must be a stored text, a slice of one, or one of the bot's own sentences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pytest
import yaml

from chatbot.answer.templates import fill
from chatbot.answer.texts import say
from chatbot.assemble import all_intents, open_knowledge, open_service
from chatbot.settings import Settings, load_settings
from chatbot.types import AnswerFrom, Clarify, Turn, UseTemplate
from fakes import OpenedEncoder
from knowledge.import_docs import plan_import_docs
from knowledge.import_faq import plan_import_faq
from knowledge.imports import ImportPlan, apply
from knowledge.store import KnowledgeStore
from knowledge.types import Encoder, Matrix, Passage
from ui.commands.replay import Script, play

QUESTIONS = Path(__file__).parent / "questions"
MOST_WRONG = 3
MOST_UNANSWERABLE_ANSWERED = 1

MOST_BESIDE = 4

Verdict: TypeAlias = Literal["right", "helpful", "wrong", "answered", "beside", "declined"]
"""
right      the first passage of the answer is right
helpful    a right one is among the options, or among the other questions under an answer
wrong      something else is claimed to be the answer, or small talk is made
answered   the same, where nothing in the set answers
beside     something else is offered under the question that it answers, without a claim
declined   honestly none of these
"""


@dataclass(frozen=True, slots=True)
class Real:
    """What is known of a set before it is imported."""

    name: str
    counts: Mapping[str, int]
    """Rows by outcome; those left out are 0."""
    stored: Mapping[str, int]
    right: int
    """Fewest right answers."""
    served: int
    """Fewest right answers and helpful questions back together."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, and what came of it."""

    text: str
    right: Sequence[str]
    turn: Turn

    @property
    def verdict(self) -> Verdict:
        """As a critical customer would judge it; small talk in place of an answer is wrong."""
        match self.turn.decision:
            case AnswerFrom(passage_ids=[first, *_]) if self._fits(first):
                return "right"
            case AnswerFrom(passage_ids=[_, *others], sure=False):
                return "helpful" if any(map(self._fits, others)) else "beside"
            case AnswerFrom() | UseTemplate():
                return "wrong" if self.right else "answered"
            case Clarify(options=options) if any(self._fits(option.passage_id) for option in options):
                return "helpful"
        return "declined"

    def _fits(self, passage_id: str | None) -> bool:
        passage = next((hit.passage for hit in self.turn.hits if hit.passage.id == passage_id), None)
        return passage is not None and any(fits(label, passage) for label in self.right)

    def __str__(self) -> str:
        best = self.turn.hits[0] if self.turn.hits else None
        found = f"{best.score:.2f} {best.passage.id} “{best.matched[:40]}”" if best else "nothing"
        return f"{self.verdict:9} {self.turn.decision.kind:8} {self.text} -> {found}"


@dataclass(frozen=True, slots=True)
class Journey:
    """One set, imported and asked."""

    real: Real
    plan: ImportPlan[Any]
    again: ImportPlan[Any]
    """The same files a second time."""
    stored: Mapping[str, int]
    asked: Sequence[Asked]
    own_words: Sequence[str]
    """What the bot may say of itself."""

    def of(self, *verdicts: Verdict) -> int:
        """How many questions came out so."""
        return sum(one.verdict in verdicts for one in self.asked)

    def table(self) -> str:
        """For people, when a promise is broken."""
        summary = dict(Counter(one.verdict for one in self.asked))
        return "\n".join([f"{self.real.name}: {summary}", *map(str, self.asked)])


class Remembering:
    """The session's encoder; what all projects share, such as small talk, is encoded once."""

    def __init__(self, encoder: Encoder) -> None:
        self.fingerprint, self.dimension = encoder.fingerprint, encoder.dimension
        self._encoder = encoder
        self._vectors: dict[tuple[str, str], Matrix] = {}

    def encode_queries(self, texts: Sequence[str]) -> Matrix:
        return self._encode("query", texts, self._encoder.encode_queries)

    def encode_passages(self, texts: Sequence[str]) -> Matrix:
        return self._encode("passage", texts, self._encoder.encode_passages)

    def _encode(self, role: str, texts: Sequence[str], encode: Callable[[Sequence[str]], Matrix]) -> Matrix:
        new = [text for text in dict.fromkeys(texts) if (role, text) not in self._vectors]
        if new:
            self._vectors |= {(role, text): row for text, row in zip(new, encode(new), strict=True)}
        return np.stack([self._vectors[role, text] for text in texts])


# Measured with the shipped thresholds (right answers, and with them helpful questions back, of the
# answerable): airline 14 and 18 of 23, appliances 18 and 20 of 23, covid 10 and 19 of 24, travel 20 and 21
# of 24, bank and telecom 17 and 17 of 25. The floors are a little below, as encoders differ in the last digit.
SETS = [
    Real("airline_zh", {"new": 113, "conflicting": 1}, {"faqs": 114}, right=12, served=16),
    Real("appliances_zh", {"new": 100}, {"faqs": 100}, right=16, served=18),
    Real("covid_en", {"new": 208, "duplicate": 3, "conflicting": 2}, {"faqs": 210}, right=8, served=17),
    Real(
        "travel_14k_en",
        {"new": 12021, "duplicate": 2900, "conflicting": 18},
        {"faqs": 12039},
        right=18,
        served=19,
    ),
    Real("bank_telecom_en", {"new": 703}, {"documents": 703, "passages": 3225}, right=15, served=15),
]
LARGE = ("travel_14k_en", "bank_telecom_en")
"""Minutes of encoding."""

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def remembering(encoder: Encoder) -> Encoder:
    return Remembering(encoder)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(real, id=real.name, marks=[pytest.mark.hard] * (real.name in LARGE)) for real in SETS
    ],
)
def journey(
    request: pytest.FixtureRequest,
    shared_data: Path,
    remembering: Encoder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Journey:
    real: Real = request.param
    settings = new_project(tmp_path_factory.mktemp(real.name), remembering, language=real.name[-2:])
    store = open_knowledge(settings)
    plan = plan_of(store, settings, shared_data, real.name)
    apply(store, plan)
    again = plan_of(store, settings, shared_data, real.name)
    service = open_service(settings)
    try:
        asked = list(ask_all(service.bot, real.name))
    finally:
        service.close()
    return Journey(real, plan, again, store.counts(), asked, own_words(settings, store))


def test_a_real_file_is_imported_with_nothing_lost(journey: Journey) -> None:
    counts = {outcome: count for outcome, count in journey.plan.counts.items() if count}
    stored = {what: count for what, count in journey.stored.items() if count}

    assert counts == journey.real.counts
    assert stored == journey.real.stored
    assert not journey.plan.remarks


def test_importing_it_again_changes_nothing(journey: Journey) -> None:
    assert not journey.again.writes
    assert journey.again.counts["same"] == sum(
        journey.real.stored[name] for name in ("faqs", "documents") if name in journey.real.stored
    )


def test_every_reply_is_a_stored_text_or_one_of_the_bots_own(journey: Journey) -> None:
    strange = [one for one in journey.asked if not is_honest(one.turn, journey.own_words)]

    assert not strange, "\n".join(f"{one}\n    {one.turn.reply.text}" for one in strange)


def test_what_customers_ask_is_answered_right_or_honestly_declined(journey: Journey) -> None:
    wrong, unfounded = journey.of("wrong"), journey.of("answered")

    assert len(journey.asked) == 30
    assert wrong <= MOST_WRONG, journey.table()
    assert unfounded <= MOST_UNANSWERABLE_ANSWERED, journey.table()
    assert journey.of("beside") <= MOST_BESIDE, journey.table()


def test_most_of_what_the_knowledge_answers_is_found(journey: Journey) -> None:
    answered, served = journey.of("right"), journey.of("right", "helpful")

    assert answered >= journey.real.right, journey.table()
    assert served >= journey.real.served, journey.table()


def new_project(folder: Path, encoder: Encoder, *, language: str) -> Settings:
    """Settings of a project without a dialogue model, over an encoder that is open already."""
    (folder / "kefu.toml").write_text(
        f'[languages]\ndefault = "{language}"\n[generation.model]\nkind = "none"\n', "utf-8"
    )
    settings = load_settings(folder)
    knowledge = settings.knowledge.model_copy(update={"encoder": OpenedEncoder(encoder)})
    return settings.model_copy(update={"knowledge": knowledge})


def plan_of(store: KnowledgeStore, settings: Settings, data: Path, name: str) -> ImportPlan[Any]:
    """The import of a set as the command line does it."""
    if name != "bank_telecom_en":
        return plan_import_faq(store, [data / "faq" / name / "faq.csv"])
    folder = data / "documents" / name
    paths = [folder / "rho_bank_documents.jsonl", *sorted(folder.rglob("*.md"))]
    documents = [path for path in paths if path.stem != "LICENSE_NOTE"]
    return plan_import_docs(store, documents, characters=settings.knowledge.passage_characters)


def ask_all(bot: Any, name: str) -> Iterator[Asked]:
    """Each question in a conversation of its own."""
    questions = yaml.safe_load((QUESTIONS / f"{name}.yaml").read_text("utf-8"))
    scripts = [Script(str(n), "", name[-2:], (question["asks"],)) for n, question in enumerate(questions)]
    played = play(bot, scripts, progress=lambda _what, _done: None)
    for question, (_, turns) in zip(questions, played, strict=True):
        yield Asked(question["asks"], question["right"], turns[0])


def fits(label: str, passage: Passage) -> bool:
    """Whether a label of the questions names this passage: its id ("*" for any end), or "~" and a bit of the title."""
    if label.startswith("~"):
        return label[1:].casefold() in passage.title.casefold()
    return fnmatchcase(passage.id, label) or passage.id == f"faq:{label}"


def own_words(settings: Settings, store: KnowledgeStore) -> list[str]:
    """The beginnings of everything the bot says by itself."""
    texts = yaml.safe_load(files("chatbot.answer").joinpath("texts.yaml").read_text("utf-8"))
    names = ("clarify", "decline_out_of_scope", "decline_no_answer", "handoff_unhappy", "handoff_no_answer")
    said = [texts[name][language] for name in names for language in ("zh", "en")]
    own = {
        "company": settings.project.name,
        "bot_name": settings.project.bot_name,
        "contact": "",
        "hours": "",
    }
    templates = [
        fill(text, own)
        for intent in all_intents(store).values()
        for template in intent.templates
        for text in template.text.values()
    ]
    return [
        *(wording for each in said for wording in ([each] if isinstance(each, str) else each)),
        *templates,
    ]


def is_honest(turn: Turn, own: Sequence[str]) -> bool:
    """Whether nothing in the reply was made up."""
    decision, reply = turn.decision, turn.reply
    if reply.finish != "complete":
        return False
    if isinstance(decision, AnswerFrom):
        source = next(hit.passage for hit in turn.hits if hit.passage.id == decision.passage_ids[0])
        return reply.citations[0].passage_id == source.id and is_from(source, reply.text, decision)
    if isinstance(decision, Clarify) and len(decision.options) < 2:
        return False
    return reply.text.startswith(tuple(own))


def is_from(source: Passage, text: str, decision: AnswerFrom) -> bool:
    """Whether a reply is the passage: whole, under its question, or sentences of it under its heading."""
    if not decision.sure:
        return text == f"{say('may_mean', source.locale, question=source.title)}\n{source.text}"
    if decision.verbatim:
        return text == source.text
    return all(line in source.text or line.strip(":") in source.title for line in text.splitlines())
