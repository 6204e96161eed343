"""A fine-tuned model quotes the passage that tells, or says that none does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from answer_cases import EN, FakeChat, hits

from chatbot.answer.candidates import MOST, Candidates
from chatbot.answer.compose import Composer, Outcome, Said
from chatbot.answer.prompt import GROUNDED, standalone
from chatbot.answer.say import Speaker
from chatbot.answer.webhook import Fetched
from chatbot.bot import Bot, Stages
from chatbot.dialogues import Dialogues
from chatbot.registry import Registry, prompt_of
from chatbot.settings import GenerationSettings, LlamaCppModel, NoModel, ProjectSettings, Settings
from chatbot.types import (
    AnswerFrom,
    Availability,
    Clarify,
    Decline,
    Delta,
    Message,
    Option,
    Reply,
    Turn,
    Understanding,
    UseTemplate,
)
from fakes import FakeEncoder
from knowledge.errors import ModelError
from knowledge.types import Passage

QUOTED = "Express delivery takes 1 to 2 business days and costs $12.90."
SETTINGS = GenerationSettings(deadline_s=5, max_tokens=40)
CHAT = ("do you deliver", "Standard delivery takes 3 to 5 business days.")


class Reader(FakeChat):
    prompt: str = GROUNDED


class Desk:
    def availability(self, at: datetime) -> Availability:
        return Availability(open_now=True, hours="", contact="")

    def open(self, turn: Turn) -> None: ...


def composed(model: Reader) -> tuple[list[Said], Outcome]:
    composer = Composer(model, SETTINGS, encoder=FakeEncoder())
    composing = composer.compose("and express?", EN, language="en", chat=CHAT)
    said = []
    while True:
        try:
            said.append(next(composing))
        except StopIteration as stop:
            return said, stop.value


@pytest.mark.parametrize("pieces", [(" ", "Express", QUOTED[7:]), (f" {QUOTED}",), (QUOTED,)])
def test_what_it_quotes_is_said_with_its_source(pieces: tuple[str, ...]) -> None:
    assert composed(Reader(pieces=list(pieces))) == ([Said(QUOTED, ("shipping",))], Outcome())


@pytest.mark.parametrize("written", [" None", "None", "No", ""])
def test_no_passage_means_that_nothing_is_said(written: str) -> None:
    said, outcome = composed(Reader(pieces=[written]))

    assert (said, outcome.none) == ([], True)


def test_what_stands_in_no_passage_is_refused_here_too() -> None:
    said, outcome = composed(Reader(pieces=[" Nonetheless express delivery is free for members."]))

    assert said == []
    assert outcome.refused
    assert not outcome.none


def test_it_reads_the_likeliest_sentences_and_the_conversation_and_goes_on_after_the_cue() -> None:
    model = Reader(pieces=[" None"])
    composed(model)

    (asked,) = model.asked[-1]
    read = asked.text.partition("\n\n")[0].splitlines()
    assert read[0] == f"- {EN[1].title}: {QUOTED}"
    assert len(read) == MOST
    assert asked.text.endswith(f"Customer: {CHAT[0]}\nAgent: {CHAT[1]}\nCustomer: and express?\nAnswer:")
    assert standalone("and express?", CHAT).endswith("Customer: and express?\nQuestion:")


def test_what_the_passage_of_the_last_reply_goes_on_with_comes_before_its_like_elsewhere() -> None:
    text = "It is emptied on {}. It is washed on Friday."
    pages = [
        Passage(name, text.format(day), "Bins", "document", "en")
        for name, day in (("a", "Tuesday"), ("b", "Monday"))
    ]

    found = Candidates(pages, FakeEncoder()).nearest(
        "and washed?", ("when is it emptied", "It is emptied on Monday.")
    )

    washed = [one.id for one in found if "washed" in one.text]
    assert washed == ["b", "a"]
    assert Candidates([], FakeEncoder()).nearest("and?", ()) == []


def speaker(model: FakeChat | None) -> Speaker:
    return Speaker(
        intents=dict,
        model=model,
        generation=SETTINGS,
        project=ProjectSettings(),
        webhook=lambda hook, slots: Fetched("failed"),
        desk=Desk(),
        encoder=FakeEncoder(),
    )


READ = AnswerFrom(("returns", "shipping"), verbatim=False, otherwise=Decline("no_answer"))


def said(model: FakeChat | None, decision: AnswerFrom = READ) -> Reply:
    understood = Understanding(query="how much is express", language="en")
    *_, reply = speaker(model).answer(decision, understanding=understood, hits=hits(*EN), history=())
    assert isinstance(reply, Reply)
    return reply


def test_what_the_model_finds_is_said_with_its_source() -> None:
    reply = said(Reader(pieces=[f" {QUOTED}"]))

    assert reply.text == f"{QUOTED} [1]"
    assert [citation.passage_id for citation in reply.citations] == ["shipping"]
    assert not reply.otherwise


@pytest.mark.parametrize(
    "model", [Reader(pieces=[" None"]), Reader(pieces=[" It is free."]), FakeChat(pieces=["Hi."]), None]
)
def test_what_was_decided_otherwise_is_done_where_it_finds_nothing(model: FakeChat | None) -> None:
    options = Clarify((Option("Returns", passage_id="returns"), Option("Delivery", passage_id="shipping")))

    assert said(model).text == said(None).text
    assert "Returns" in said(model, AnswerFrom(("returns",), verbatim=False, otherwise=options)).quick_replies


def test_what_a_template_just_told_can_be_quoted_without_a_source() -> None:
    told = "Your order A1 is on its way. It arrives on Friday."
    message = Message("c", "where is A1", datetime(2026, 1, 5, tzinfo=UTC))
    before = Understanding(query="where is A1", language="en")
    status = UseTemplate("order", {"id": "A1"})
    history = (Turn("t", message, before, (), status, Reply(told), {}, {}),)
    understood = Understanding(query="when will it arrive", language="en")
    decision = AnswerFrom((), verbatim=False, otherwise=status)

    model = Reader(pieces=[" It arrives on Friday."])
    *_, reply = speaker(model).answer(decision, understanding=understood, hits=(), history=history)

    assert isinstance(reply, Reply)
    assert (reply.text, reply.citations) == ("It arrives on Friday.", ())


def test_the_turn_keeps_what_was_done_in_the_end(turns: list[Turn]) -> None:
    found, nothing = turns

    assert found.decision == READ
    assert nothing.decision == Decline("no_answer")


@pytest.fixture
def turns() -> list[Turn]:
    return [_turn(Reader(pieces=[written])) for written in (f" {QUOTED}", " None")]


def _turn(model: Reader) -> Turn:
    from chatbot.types import Verdict

    class Stage:
        version = "1"

        def understand(self, message: Message, history: object) -> Understanding:
            return Understanding(query=message.text, language="en")

        def search(self, query: str, k: int, **_: object) -> object:
            return hits(*EN)

        def decide(self, *_: object) -> Verdict:
            return Verdict(READ, "Why.")

        def begin(self, message: Message) -> None: ...

        def history(self, conversation_id: str, *, limit: int) -> tuple[Turn, ...]:
            return ()

        def append(self, turn: Turn) -> Turn:
            return turn

    stage = Stage()
    stages = Stages(stage, stage, stage, speaker(model), {})  # type: ignore[arg-type]
    bot = Bot(lambda: stages, stage, Desk())  # type: ignore[arg-type]
    *pieces, turn = bot.reply(Message("c", "how much is express", datetime(2026, 1, 5, tzinfo=UTC)))
    assert all(isinstance(piece, Delta) for piece in pieces)
    assert isinstance(turn, Turn)
    return turn


def test_another_dialogue_model_is_opened_when_it_is_promoted(tmp_path: Path) -> None:
    settings = Settings(project=ProjectSettings(folder=tmp_path), generation=GenerationSettings(model=NoModel(kind="none")))  # fmt: skip
    dialogues = Dialogues(settings)

    assert dialogues.follow() is None  # a model that is "none" takes no adapter, whatever is promoted


def test_the_adapter_in_force_is_the_promoted_one_unless_the_settings_name_one(tmp_path: Path) -> None:
    settings = Settings(project=ProjectSettings(folder=tmp_path))
    registry = Registry(settings.models_folder)
    for name in ("one", "two"):
        with registry.making("dialogue", name) as place:
            (place / "metrics.json").write_text('{"prompt": "grounded-2"}', "utf-8")
        registry.promote("dialogue", name)

    adapter = settings.dialogue_model.adapter  # type: ignore[union-attr]
    assert adapter == settings.models_folder / "dialogue" / "two" / "adapter.gguf"
    assert prompt_of(adapter) == GROUNDED
    assert prompt_of(tmp_path / "of-others.gguf") == ""
    registry.rollback("dialogue")
    assert settings.dialogue_model.adapter.parent.name == "one"  # type: ignore[union-attr]


def test_an_adapter_of_another_language_model_stays_out(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    with registry.making("dialogue", "one") as place:
        (place / "metrics.json").write_text('{"base": "gemma-3-270m-q4_k_m"}', "utf-8")
    registry.promote("dialogue", "one")

    def adapter(model: LlamaCppModel) -> Path | None:
        generation = GenerationSettings(model=model)
        settings = Settings(project=ProjectSettings(folder=tmp_path), generation=generation)
        return settings.dialogue_model.adapter  # type: ignore[union-attr]

    assert adapter(LlamaCppModel()) is not None
    assert adapter(LlamaCppModel(path=tmp_path / "larger.gguf")) is None


def test_a_damaged_dialogue_model_is_not_promoted(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    with registry.making("dialogue", "one") as place:
        (place / "metrics.json").write_text("{}", "utf-8")
    (tmp_path / "dialogue" / "one" / "metrics.json").write_text('{"prompt": "changed"}', "utf-8")

    with pytest.raises(ModelError, match="Train it again"):
        registry.promote("dialogue", "one")
