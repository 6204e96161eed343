"""Reads a message in its conversation: the order in which the parts of this stage are asked.

message -> text and language -> danger? a person? -> a choice, a slot or a correction that was waited for?
-> standalone question -> intent -> slots
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import tzinfo

from chatbot.chats import in_context, said_in, titles_of
from chatbot.types import LIKELY, Act, Message, Turn, Understanding
from chatbot.understand import acts
from chatbot.understand.codes import code_begun, codes_in
from chatbot.understand.heard import Heard, fill_from, stated_in
from chatbot.understand.intent import Guess, IntentClassifier, out_of_scope
from chatbot.understand.language import (
    ENGLISH_FUNCTION_WORDS,
    HAN,
    LATIN_WORD,
    Tongue,
    language_in,
    tidy,
    tongue_of,
)
from chatbot.understand.pinyin import PinyinReader
from chatbot.understand.rewrite import (
    Rewriter,
    chosen_option,
    content_words,
    conversation_of,
    names_nothing,
    without_numbers,
    words_beside,
)
from chatbot.understand.sentiment import sentiment_of
from chatbot.understand.several import questions_in
from chatbot.understand.slots import (
    current_slots,
    day_of,
    known_values,
    place_named,
    slot_held,
    stated_values,
    telling_values,
    values_in,
)
from chatbot.understand.smalltalk import is_smalltalk, pleasantry_in
from chatbot.understand.spelling import Speller
from chatbot.understand.swapping import about_another, choices_of
from chatbot.understand.task import Task, may_stay, staying, task_of
from knowledge.sources.builtin import SMALLTALK
from knowledge.sources.intents import Intent, Slot

_CARE = "care.emergency"
# A message with a slot's value and at most so many other words of weight is about that value.
_WORDS_BESIDE_VALUE = 1
_NUMBER_CONFIDENCE = 0.95
_CERTAIN_ENOUGH = 0.95
# Typed alone these may as well ask for an order to be cancelled.
_AMBIGUOUS_CANCELS = frozenset({"取消", "取消吧", "cancel", "cancel it", "cancel that", "stop", "退", "停止"})


class Reader:
    """Implements `chatbot.types.Understander` without a language model; pure and safe between threads."""

    def __init__(
        self,
        *,
        intents: Sequence[Intent],
        classifier: IntentClassifier,
        wordings: Iterable[str] = (),
        bot_name: str = "",
        default_language: str = "zh",
        context_turns: int = 6,
        timezone: tzinfo | None = None,
        reads_chats: bool = False,
        rewriter: Callable[[Iterable[str]], Rewriter] = Rewriter,
        feeling: Callable[[str], float] = sentiment_of,
        named: Callable[[str], Mapping[str, Sequence[str]]] = lambda _: {},
    ) -> None:
        """Learn the company's words.

        Args:
            intents: The company's and the built-in ones.
            classifier: Fitted on the same intents; its encoder is the one that retrieval uses.
            wordings: Questions and titles of the company's knowledge, in any language.
            bot_name: What the bot is called: being called so says nothing.
            default_language: Spoken when nothing tells.
            context_turns: How many earlier turns a message may refer to.
            reads_chats: Whether the encoder learned to read a message after what was said before it.
            rewriter: Makes what completes follow-ups, from the company's wordings.
            feeling: Tells how a customer feels, -1..1.
            named: Finds names and values in a message, by kind.
            timezone: Of the customers; None takes the days of `Message.sent_at` as they are.
        """
        self._intents = {intent.name: intent for intent in intents}
        self._titles = titles_of((), intents) if reads_chats else None
        self._choices = choices_of(intents)
        self._classifier = classifier
        self._called = acts.called_by(bot_name)
        self._default_language = default_language
        self._context_turns = context_turns
        self._timezone, self._feeling, self._named = timezone, feeling, named
        known = list(map(tidy, wordings))
        examples = [tidy(text) for intent in intents for texts in intent.examples.values() for text in texts]
        every = [*known, *examples, *out_of_scope()]
        self._speller = Speller(text for text in every if not HAN.search(text))
        chinese = [text for text in every if HAN.search(text)]
        borrowed = {word.lower() for text in chinese for word in LATIN_WORD.findall(text)}
        self._english = self._speller.words - borrowed
        self._pinyin = PinyinReader(
            [*chinese, "转人工"], english=ENGLISH_FUNCTION_WORDS | self._speller.words
        )
        self._rewriter = rewriter([*known, *examples])

    @property
    def version(self) -> str:
        """Changes with the intents, their examples, the negatives and the encoder."""
        return self._classifier.version

    def understand(self, message: Message, history: Sequence[Turn]) -> Understanding:
        """What the customer wants; see `chatbot.types.Understanding`."""
        recent = list(history)[-self._context_turns :] if self._context_turns else []
        heard = self._hear(message, history)
        new = acts.new_subject(heard.text)
        understood = (
            self._act_at_once(heard)
            or self._choice(heard, recent)
            or self._pleasantry(heard, recent)
            or self._task_talk(heard, recent)
            or self._question(replace(heard, text=new or heard.text), [] if new else recent)
        )
        parts = (
            tuple(self._part(part, heard, recent) for part in questions_in(heard.text))
            if understood.act == "ask" and not understood.passage_id
            else ()
        )
        return replace(self._told(understood, heard), parts=parts)

    def _told(self, understood: Understanding, heard: Heard) -> Understanding:
        return replace(
            understood, language=heard.tongue.language, script=heard.tongue.script, sentiment=heard.sentiment
        )

    def _part(self, text: str, heard: Heard, recent: Sequence[Turn]) -> Understanding:
        """One of several questions; what the message states elsewhere fills its slots."""
        understood = self._question(replace(heard, text=text), recent)
        intent = self._intents.get(understood.intent or "")
        elsewhere = stated_in(intent, heard) if intent else {}
        return replace(self._told(understood, heard), slots={**elsewhere, **understood.slots})

    def _hear(self, message: Message, history: Sequence[Turn]) -> Heard:
        typed = self._called(tidy(message.text))
        last = history[-1].understanding if history else None
        previous = Tongue(last.language, last.script, certain=True) if last else None
        spelt = None if HAN.search(typed) else self._pinyin.read(typed)
        language = "zh" if spelt else language_in(typed, known_english=self._english)
        tongue = tongue_of(
            message.text,
            language=language,
            previous=previous,
            locale=message.locale,
            default=self._default_language,
        )
        text = spelt or (self._speller.correct(typed) if language == "en" else typed)
        day = day_of(message.sent_at, self._timezone)
        return Heard(typed, text, tongue, self._feeling(typed), day, self._named(text))

    def _act_at_once(self, heard: Heard) -> Understanding | None:
        """Danger and the wish for a person come before everything else."""
        texts = {heard.typed, heard.text}
        if any(map(acts.is_urgent, texts)):
            known = _CARE if _CARE in self._intents else None
            return _understanding(heard.text, "urgent", intent=known, confidence=float(known is not None))
        if any(map(acts.wants_person, texts)):
            return _understanding(heard.text, "human")
        return None

    def _pleasantry(self, heard: Heard, recent: Sequence[Turn]) -> Understanding | None:
        """Thanks, a good-bye, "ok": nothing is asked and nothing told, whatever the bot waits for."""
        task = task_of(recent, self._intents)
        if task and task.asked and values_in(task.asked, heard.text, today=heard.day, asked=True):
            return None
        kind = pleasantry_in(heard.text, recent[-1] if recent else None)
        name = f"{SMALLTALK}{kind}"
        if name not in self._intents:
            return None
        return _understanding(heard.text, "smalltalk", intent=name, confidence=_CERTAIN_ENOUGH)

    def _choice(self, heard: Heard, recent: Sequence[Turn]) -> Understanding | None:
        option = chosen_option(heard.text, recent[-1] if recent else None)
        if option is None:
            return None
        if option.intent in self._intents:
            slots = fill_from(self._intents[option.intent], heard, recent)
            return _understanding(option.label, "ask", intent=option.intent, confidence=1.0, slots=slots)
        return replace(_understanding(option.label, "ask"), passage_id=option.passage_id)

    def _task_talk(self, heard: Heard, recent: Sequence[Turn]) -> Understanding | None:
        """Cancels, corrections and values for the task at hand; None when the message is none of them."""
        task = task_of(recent, self._intents)
        asked = task.asked if task else None
        if acts.is_cancel(heard.text) and (
            asked or heard.text.strip(" 。.!！").lower() not in _AMBIGUOUS_CANCELS
        ):
            return _understanding(heard.text, "cancel", intent=task.intent.name if task else None)
        if task is None:
            return None
        return self._correction(heard, recent, task) or (
            self._answer_to(heard, recent, task, asked) if asked else self._another_value(heard, recent, task)
        )

    def _correction(self, heard: Heard, recent: Sequence[Turn], task: Task) -> Understanding | None:
        if not acts.is_correction(heard.text):
            return None
        held = dict(current_slots(task.turn))
        said = stated_in(task.intent, heard)
        if said and (held.keys() & said.keys() or not task.asked):
            slots = {**fill_from(task.intent, heard, recent, continues=True), **said}
            return self._about(task.intent, heard, "correct", slots)
        slot = slot_held(task.intent, held)
        if slot is None or not (acts.names_other(heard.text) or acts.is_plain_denial(heard.text)):
            return None
        if len(words_beside(heard.text, ())) > 3:
            return None  # it says more than "the other one": a question of its own
        slots = self._with_other(task.intent, slot, recent, held, place=place_named(heard.text))
        return self._about(task.intent, heard, "correct", slots)

    def _with_other(
        self,
        intent: Intent,
        slot: Slot,
        recent: Sequence[Turn],
        held: dict[str, str],
        *,
        place: int | None = None,
    ) -> dict[str, str]:
        """The other value of the slot that the conversation mentioned, or the one whose place is named; none: the
        slot is asked again.
        """
        names = {each.name for each in intent.slots}
        kept = {name: value for name, value in held.items() if name in names and name != slot.name}
        if place is not None:
            stated = stated_values(recent, slot, timezone=self._timezone)
            # One value is no list to choose from: what was held still is.
            value = stated[place] if 1 < len(stated) > place else held.get(slot.name)
            return {**kept, slot.name: value} if value else kept
        mentioned = known_values(recent, slot, timezone=self._timezone)
        others = [value for value in mentioned if value != held.get(slot.name)]
        return {**kept, slot.name: others[-1]} if others else kept

    def _answer_to(
        self, heard: Heard, recent: Sequence[Turn], task: Task, asked: Slot
    ) -> Understanding | None:
        """The message as an answer to the bot's question, unless it is clearly something else."""
        said = stated_in(task.intent, heard)
        slots = fill_from(task.intent, heard, recent, asked=asked.name, continues=True)
        given = values_in(asked, heard.text, today=heard.day, asked=True)
        if said or (given and asked.type != "text"):
            return self._about(task.intent, heard, "inform", slots)
        guess = self._classifier.classify(acts.without_courtesy(heard.text))
        named = guess.intent not in (None, task.intent.name) and not str(guess.intent).startswith(SMALLTALK)
        if guess.exact or (named and guess.confidence >= LIKELY) or acts.is_question(heard.text):
            return None
        query = self._rewriter.standalone(heard.text, recent)
        return replace(self._about(task.intent, heard, "inform", slots), query=query)

    def _another_value(self, heard: Heard, recent: Sequence[Turn], task: Task) -> Understanding | None:
        """The same wish for another value: "LM2026110013", "and LM2026110013?"."""
        said = stated_in(task.intent, heard) or telling_values(
            task.intent, current_slots(task.turn), heard.text
        )
        if not said or len(words_beside(heard.text, said.values())) > _WORDS_BESIDE_VALUE:
            return None
        slots = fill_from(task.intent, heard, recent, continues=True)
        return self._about(task.intent, heard, "inform", {**slots, **said})

    def _question(self, heard: Heard, recent: Sequence[Turn]) -> Understanding:
        bare = heard.text if self._classifier.exact(heard.text) else acts.without_courtesy(heard.text)
        query, other, read_as, follows = self._readings(bare, recent)
        guess = self._classifier.classify(without_numbers(query), read_as=read_as)
        if follows and other:
            # "and if the price drops?" after gifts: a wish of its own, though it begins like a follow-up.
            guess = max(guess, self._classifier.classify(other), key=lambda one: one.confidence)
        task = task_of(recent, self._intents)
        if guess.intent is None:
            return replace(
                _understanding(query, "ask"),
                rewritten=follows,
                read_as="" if guess.exact else read_as,
                new_words=tuple(content_words(bare)),
            )
        codes = {} if self._classifier.exact(bare) else codes_in(self._intents, heard.text, today=heard.day)
        if guess.intent.startswith(SMALLTALK) and not follows and not codes and is_smalltalk(guess, bare):
            return replace(
                _understanding(bare, "smalltalk", intent=guess.intent, confidence=guess.confidence),
                scores=guess.scores,
            )
        guess = guess if read_as else staying(guess, task, bare, follows=follows)
        if codes:
            guess = self._about_codes(heard, task, codes, guess if read_as else None)
        elif not guess.exact and (started := code_begun(self._intents, heard.text)):
            guess = Guess(started, _NUMBER_CONFIDENCE, {started: _NUMBER_CONFIDENCE})
        busy = None if codes or read_as else task
        stays = busy is not None and may_stay(guess, busy, bare, intents=self._intents)
        if busy is not None and stays:
            guess = replace(guess, intent=busy.intent.name)
        intent = self._intents.get(guess.intent or "")
        slots = self._slots_for(intent, heard, recent, task) if intent else {}
        understood = _understanding(
            without_numbers(query), "ask", intent=guess.intent, confidence=guess.confidence, slots=slots
        )
        return replace(
            understood,
            rewritten=follows,
            other_reading="" if guess.exact or codes else other,
            read_as="" if guess.exact or codes else read_as,
            new_words=tuple(content_words(bare)),
            stays=stays,
            near=guess.near,
            stranger=guess.stranger,
            unanswered=guess.unanswered,
            remark=0.0 if acts.is_question(bare) else guess.remark,
            courteous=acts.courteous(heard.typed),
            scores=guess.scores,
        )

    def _readings(self, bare: str, recent: Sequence[Turn]) -> tuple[str, str, str, bool]:
        """What is looked up, its other reading, what an encoder that learned chats reads; whether it is a follow-up."""
        if self._classifier.exact(bare):
            return bare, "", "", False
        query = self._rewriter.standalone(bare, recent)
        follows = query != bare
        if self._titles is None:
            return query, self._rewriter.other_reading(bare, recent), "", follows
        turns = conversation_of(recent)
        asked = about_another(bare, turns[-1] if turns else None, self._choices)
        # The question before about something else is read after what it was read after itself.
        said = said_in(turns[:-1] if asked else turns, self._titles)
        if asked:
            return asked, "", in_context(asked, said) if said else "", True
        return (bare, "", in_context(bare, said), follows) if said else (query, "", "", follows)

    def _about_codes(
        self, heard: Heard, task: Task | None, codes: dict[str, list[str]], in_chat: Guess | None
    ) -> Guess:
        """What a message with an order number is about: the conversation tells an encoder that learned to read it.

        Otherwise its other words tell, first of all by what was asked for with such a number before; without any, the task at hand does, else what customers mostly want with
        such a number (the first starter).
        """
        if in_chat and (fitting := [name for name in in_chat.scores if name in codes]):
            return Guess(fitting[0], _NUMBER_CONFIDENCE, {fitting[0]: _NUMBER_CONFIDENCE})
        values = {value for said in codes.values() for value in said}
        rest = re.sub("|".join(map(re.escape, sorted(values))), " ", heard.text, flags=re.IGNORECASE)
        if words_beside(heard.text, values):
            guess = self._classifier.classify(acts.without_courtesy(tidy(rest)))
            if nearest := max(guess.near.keys() & codes.keys(), key=guess.near.__getitem__, default=None):
                return Guess(nearest, _NUMBER_CONFIDENCE, {nearest: _NUMBER_CONFIDENCE})
            if guess.intent in codes and guess.confidence >= LIKELY / 2:
                return Guess(guess.intent, max(guess.confidence, _NUMBER_CONFIDENCE), guess.scores)
        names = [task.intent.name] if task else []
        names += sorted(codes, key=lambda name: not self._intents[name].starter)
        name = next(name for name in names if name in codes)
        return Guess(name, _NUMBER_CONFIDENCE, {name: _NUMBER_CONFIDENCE})

    def _slots_for(
        self, intent: Intent, heard: Heard, recent: Sequence[Turn], task: Task | None
    ) -> dict[str, str]:
        same = bool(task and task.fresh and task.intent.name == intent.name)
        slots = fill_from(intent, heard, recent, continues=same, brief=names_nothing(heard.text))
        slot = slot_held(intent, slots)
        if slot and acts.names_other(heard.text) and slot.name not in stated_in(intent, heard):
            return self._with_other(intent, slot, recent, slots, place=place_named(heard.text))
        return slots

    def _about(self, intent: Intent, heard: Heard, act: Act, slots: dict[str, str]) -> Understanding:
        return _understanding(heard.text, act, intent=intent.name, confidence=1.0, slots=slots)


def _understanding(
    query: str,
    act: Act,
    *,
    intent: str | None = None,
    confidence: float = 0.0,
    slots: dict[str, str] | None = None,
) -> Understanding:
    """Without language and feeling, which `Reader.understand` puts in."""
    return Understanding(
        query=query, language="", act=act, intent=intent, confidence=confidence, slots=slots or {}
    )
