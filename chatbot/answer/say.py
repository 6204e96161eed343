"""ANSWER: turn a decision into words. One `match`, closed, over everything the bot can decide."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import assert_never

import structlog
from langchain_core.language_models import BaseChatModel

from chatbot.answer import fixed
from chatbot.answer.compose import Composer
from chatbot.answer.extract import is_short
from chatbot.answer.script import in_script
from chatbot.answer.stored import (
    answers_otherwise,
    citation,
    offered,
    quoted,
    stored,
    tag,
    under_its_question,
    whole,
)
from chatbot.answer.talk import Talk, put_right, talk_of
from chatbot.answer.templates import choose, fill, in_language, more, shown
from chatbot.answer.texts import say
from chatbot.answer.webhook import Caller
from chatbot.settings import GenerationSettings, ProjectSettings
from chatbot.types import (
    VERY_UNHAPPY,
    AnswerFrom,
    AskSlot,
    Availability,
    Clarify,
    Decision,
    Decline,
    Delta,
    Desk,
    Handoff,
    Reply,
    Several,
    Turn,
    Understanding,
    UseTemplate,
)
from knowledge.sources.intents import Intent, starters
from knowledge.types import Encoder, Hit, Passage

log = structlog.get_logger(__name__)

_REGRET = re.compile(r"抱歉|对不起|不好意思|sorry|apolog", re.IGNORECASE)
_OPENING = 40


class Speaker:
    """Says what was decided; implements `chatbot.types.Answerer`.

    Args:
        intents: The intents in force by name; asked each turn, so that edits take effect.
        model: Composes answers from documents; None: stored texts only.
        generation: Limits of composing.
        project: Whose bot this is; fills {company} and {bot_name}.
        webhook: Asks a template's service.
        desk: Knows when people are there.
        encoder: For a model that was fine-tuned: which sentences it reads.
        clock: The time now, with a zone.
    """

    def __init__(
        self,
        *,
        intents: Callable[[], Mapping[str, Intent]],
        model: BaseChatModel | None,
        generation: GenerationSettings,
        project: ProjectSettings,
        webhook: Caller,
        desk: Desk,
        encoder: Encoder | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._intents, self._webhook, self._desk, self._clock = intents, webhook, desk, clock
        self._composer = Composer(model, generation, encoder=encoder) if model else None
        self._quote_first = generation.compose_when == "unsure"
        self._project = project

    def answer(
        self,
        decision: Decision,
        understanding: Understanding,
        hits: Sequence[Hit],
        history: Sequence[Turn],
    ) -> Iterator[Delta | Reply]:
        """Yield pieces, then the reply; the reply's text is the pieces joined."""
        said = ""
        talk = talk_of(history, understanding)
        for piece in self._opened(self._say(decision, understanding, hits, talk), understanding, decision):
            if isinstance(piece, Reply):
                yield replace(
                    piece,
                    text=said,
                    quick_replies=tuple(
                        in_script(text, understanding.script) for text in piece.quick_replies
                    ),
                )
                return
            text = in_script(piece.text, understanding.script)
            said += text
            yield Delta(text)

    def _say(
        self, decision: Decision, understanding: Understanding, hits: Sequence[Hit], talk: Talk
    ) -> Iterator[Delta | Reply]:
        language = understanding.language
        match decision:
            case UseTemplate():
                yield from whole(self._template(decision, language, again=talk.before == decision))
            case AnswerFrom():
                yield from self._from_passages(decision, understanding, hits, talk)
            case AskSlot():
                yield from self._asking(decision, understanding, hits, talk)
            case Several():
                yield from self._one_by_one(decision, understanding, hits, talk)
            case Clarify():
                yield from whole(fixed.clarify(decision, language, talk.seed))
            case Decline():
                yield from whole(self._decline(decision, language, talk.seed, hits))
            case Handoff():
                yield from whole(self._hand_over(decision, understanding))
            case _:
                assert_never(decision)

    def _template(self, decision: UseTemplate, language: str, *, again: bool) -> Reply:
        """An intent's template, and its details where it was said before; an honest sentence and a person where a
        service or a slot is missing.
        """
        intent = self._intents().get(decision.intent)
        if intent is None:
            log.warning("answer.unknown_intent", intent=decision.intent)
            return fixed.service_failed(language)
        values = dict(decision.slots)
        if intent.webhook is not None:
            fetched = self._webhook(intent.webhook, decision.slots)
            if fetched.outcome == "failed":
                log.warning("answer.webhook_failed", intent=intent.name, problem=fetched.problem)
                return fixed.service_failed(language)
            if fetched.outcome == "not_found":
                return self._not_found(intent, values, language)
            values |= fetched.values
        text = choose(intent, values | self._own(language), language)
        if text is None:
            log.warning("answer.no_template", intent=intent.name)
            return fixed.service_failed(language)
        if again and decision.slots:
            details = more(intent, values | self._own(language), language)
            text = "\n".join([say("all_there_is", language), text, *details])
        quick = tuple(in_language(intent.quick_replies, language)) if intent.quick_replies else ()
        if intent.handoff == "offer":
            quick = fixed.with_person(quick, language)
        return Reply(fill(text, shown(intent, values, language) | self._own(language)), quick_replies=quick)

    def _not_found(self, intent: Intent, values: Mapping[str, str], language: str) -> Reply:
        texts = intent.webhook.not_found if intent.webhook else {}
        text = in_language(texts, language) if texts else say("not_found", language)
        return Reply(
            fill(text, shown(intent, values, language) | self._own(language)),
            quick_replies=fixed.with_person((), language),
        )

    def _own(self, language: str) -> dict[str, str]:
        """What every template may name: the company and how to reach it."""
        there = self._available()
        return {
            "company": self._project.name,
            "bot_name": self._project.bot_name,
            "contact": there.contact,
            "hours": there.hours or (say("always", language) if there.open_now else ""),
        }

    def _available(self) -> Availability:
        try:
            return self._desk.availability(self._clock())
        except Exception:
            # Not knowing is treated as closed: nobody is promised who may not come.
            log.exception("answer.desk_failed")
            return Availability(open_now=False, hours="", contact="")

    def _from_passages(
        self, decision: AnswerFrom, understanding: Understanding, hits: Sequence[Hit], talk: Talk
    ) -> Iterator[Delta | Reply]:
        known = {hit.passage.id: hit.passage for hit in (*talk.told, *hits)}
        passages = [known[found] for found in decision.passage_ids if found in known]
        if decision.otherwise is not None:
            yield from self._read(decision.otherwise, understanding, hits, talk, passages)
            return
        if not passages:
            log.warning("answer.passages_gone", count=len(decision.passage_ids))
            yield from whole(self._decline(Decline("no_answer"), understanding.language, talk.seed))
            return
        first = passages[0]
        foreign = tag(first) != understanding.language
        text = first.text if decision.verbatim else quoted(understanding.query, first)
        sure = is_short(first.text) or (self._quote_first and text != first.text)
        if not decision.sure:
            yield from offered(passages, understanding.language)
            return
        if decision.verbatim and answers_otherwise(understanding.query, first):
            yield from under_its_question(first, understanding.language)
            return
        if decision.verbatim or foreign or sure or self._composer is None:
            yield from stored(first, text, understanding.language)
            return
        passages = [passage for passage in passages if tag(passage) == understanding.language]
        pieces = self._composed(self._composer, understanding, passages, talk)
        instead = stored(first, text, understanding.language)
        yield from _unless_said(pieces, instead, lambda reply: replace(reply, finish="withheld"))

    def _read(
        self,
        otherwise: Decision,
        understanding: Understanding,
        hits: Sequence[Hit],
        talk: Talk,
        passages: Sequence[Passage],
    ) -> Iterator[Delta | Reply]:
        """What the model finds in the passages; what was decided otherwise, where that is nothing."""
        if self._composer is None or not self._composer.reads:
            yield from self._say(otherwise, understanding, hits, talk)
            return
        own = [passage for passage in passages if tag(passage) == understanding.language]
        if talk.own_case:
            own = [talk.own_case, *own]
        pieces = self._composed(self._composer, understanding, own, talk)
        instead = self._say(otherwise, understanding, hits, talk)
        yield from _unless_said(pieces, instead, lambda reply: replace(reply, otherwise=True))

    def _composed(
        self, composer: Composer, understanding: Understanding, passages: Sequence[Passage], talk: Talk
    ) -> Iterator[Delta | Reply]:
        """The model's sentences that passed, each with its source's number, and the reply; a reply alone where none did."""
        cited: dict[str, int] = {}
        by_id = {passage.id: passage for passage in passages if passage is not talk.own_case}
        asked = (understanding.rewritten and understanding.other_reading) or understanding.query
        composing = composer.compose(
            asked if composer.reads else understanding.query,
            passages,
            language=understanding.language,
            chat=talk.chat,
        )
        between = ""
        try:
            while True:
                said = next(composing)
                sources = [source for source in said.passage_ids if source in by_id]
                marks = "".join(f" [{cited.setdefault(source, len(cited) + 1)}]" for source in sources)
                yield Delta(f"{between}{said.text}{marks}")
                between = " "
        except StopIteration as stop:
            outcome = stop.value
        finally:
            composing.close()
        refused = tuple(outcome.refused)
        if between:
            shown = tuple(citation(by_id[source]) for source in cited)
            yield Reply("", citations=shown, finish="cut" if outcome.cut else "complete", refused=refused)
            return
        none = ("the dialogue model finds no answer in the passages",) if outcome.none else ()
        yield Reply("", finish="withheld", refused=(*refused, *none))

    def _asking(
        self, decision: AskSlot, understanding: Understanding, hits: Sequence[Hit], talk: Talk
    ) -> Iterator[Delta | Reply]:
        """The question for a slot, after the rule that a stored answer tells, if there is one."""
        language = understanding.language
        rule = next((hit.passage for hit in hits if hit.passage.id == decision.passage_id), None)
        question = self._ask(decision, understanding, talk, own_case=rule is not None)
        if rule is None:
            yield from whole(question)
            return
        for piece in stored(rule, rule.text, language):
            if isinstance(piece, Reply):
                yield Delta(f"\n\n{question.text}")
                yield replace(piece, quick_replies=(*question.quick_replies, *piece.quick_replies))
            else:
                yield piece

    def _one_by_one(
        self, decision: Several, understanding: Understanding, hits: Sequence[Hit], talk: Talk
    ) -> Iterator[Delta | Reply]:
        """Each answer in its own paragraph; sources and quick replies are put together."""
        said: list[Reply] = []
        for number, one in enumerate(decision.decisions):
            if number:
                yield Delta("\n\n")
            for piece in self._say(one, understanding, hits, talk):
                if isinstance(piece, Reply):
                    said.append(piece)
                else:
                    yield piece
        citations = {citation.passage_id: citation for reply in said for citation in reply.citations}
        quick = dict.fromkeys(text for reply in said for text in reply.quick_replies)
        refused = tuple(text for reply in said for text in reply.refused)
        yield Reply("", tuple(citations.values()), tuple(quick)[: fixed.MOST_CHOICES], refused=refused)

    def _opened(
        self,
        pieces: Iterator[Delta | Reply],
        understanding: Understanding,
        decision: Decision,
    ) -> Iterator[Delta | Reply]:
        """The pieces with the sentence before them that the customer's state asks for."""
        first = next(pieces)
        if isinstance(first, Delta) and _needs_apology(understanding, decision, first.text):
            language = understanding.language
            yield Delta(say("sorry_first", language) + ("" if language == "zh" else " "))
        yield first
        yield from pieces

    def _ask(
        self, decision: AskSlot, understanding: Understanding, talk: Talk, *, own_case: bool = False
    ) -> Reply:
        language = understanding.language
        intent = self._intents().get(decision.intent)
        slot = next((slot for slot in intent.slots if slot.name == decision.slot), None) if intent else None
        if intent is None or slot is None:
            log.warning("answer.unknown_slot", intent=decision.intent, slot=decision.slot)
            return fixed.service_failed(language)
        corrected = list(shown(intent, put_right(decision, talk.before), language).values())
        return fixed.ask(
            slot,
            language,
            again=decision.attempt > 1,
            told=not any(map(str.isdigit, understanding.query)),
            seed=talk.seed,
            own_case=own_case,
            corrected=corrected,
        )

    def _decline(self, decision: Decline, language: str, seed: str, hits: Sequence[Hit] = ()) -> Reply:
        examples = tuple(starters(self._intents().values(), language)[:3])
        asked = [
            hit.passage.title
            for hit in hits
            if hit.passage.source != "document" and tag(hit.passage) == language
        ]
        near = tuple(asked[:3]) if decision.reason == "no_answer" else ()
        company = self._project.name
        return fixed.decline(decision, language, company=company, examples=examples, near=near, seed=seed)

    def _hand_over(self, decision: Handoff, understanding: Understanding) -> Reply:
        language = understanding.language
        opening = ""
        intent = self._intents().get(decision.intent or "")
        if intent is not None and intent.webhook is None:
            values = dict(understanding.slots)
            text = choose(intent, values | self._own(language), language)
            opening = fill(text, shown(intent, values, language) | self._own(language)) if text else ""
        return fixed.hand_over(decision, language, there=self._available(), opening=opening)


def _unless_said(
    composed: Iterator[Delta | Reply],
    instead: Iterator[Delta | Reply],
    mark: Callable[[Reply], Reply],
) -> Iterator[Delta | Reply]:
    """What was composed; where that is nothing, the other reply, marked, with what was refused."""
    first = next(composed)
    if isinstance(first, Delta):
        yield first
        yield from composed
        return
    for piece in instead:
        if isinstance(piece, Reply):
            yield mark(replace(piece, refused=(*first.refused, *piece.refused)))
        else:
            yield piece


def _needs_apology(understanding: Understanding, decision: Decision, text: str) -> bool:
    """Whether an angry customer is to read a word of regret first: once, and not from a greeting."""
    if (
        understanding.sentiment > VERY_UNHAPPY
        or isinstance(decision, Handoff)
        or understanding.act == "smalltalk"
    ):
        return False
    return not _REGRET.search(text[:_OPENING])
