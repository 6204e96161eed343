"""What can be learned from exchanges, completions, FAQs and intents: rows of the datasets, not yet divided."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from chatbot.answer.extract import extract
from chatbot.chats import INTENT_PREFIX, Line
from finetune.data.exchanges import Exchange
from finetune.data.grounding import Grounder, first_passages, share_told
from finetune.data.values import Completion, Example, Labelled, Pair, SetAside
from knowledge.clean import language_of, normalise
from knowledge.items import FAQ_PREFIX
from knowledge.sources.intents import Intent
from knowledge.sources.places import Place, excerpt
from knowledge.types import Entry, Hit, Passage, Progress

NEGATIVES = 4
"""Hard negatives of a question."""
_SAME_ANSWER = 0.6
"""Share of an answer that another passage tells before it may be right as well, and so is no negative."""
_WORDINGS = 2
"""Wordings of an FAQ that the dialogue model sees in any case."""
_MOST_WORDINGS = 6
_HELD_BACK = 4
"""One FAQ example in so many lacks its passage: the model learns to say that the text does not tell."""


@dataclass(slots=True)
class Material:
    """Rows, and what was set aside on the way."""

    examples: list[Example] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    labelled: list[Labelled] = field(default_factory=list)
    aside: list[SetAside] = field(default_factory=list)
    chats: dict[str, list[Line]] = field(default_factory=dict)
    """Conversation -> its messages, with what answered each."""
    verdicts: Counter[str] = field(default_factory=Counter)


def learn_exchange(exchange: Exchange, grounder: Grounder, material: Material, *, least: float) -> None:
    """Add what an exchange teaches: an answer or none to compose, a pair to find, a follow-up to complete.

    Args:
        exchange: A question and its answer.
        grounder: Holds the answer against the passages.
        material: Grows.
        least: Quality below which an answer is not learned from.
    """
    conversation, asked = exchange.conversation, exchange.asked
    chat = material.chats.setdefault(conversation.id, [])
    told = f"{asked.text} -> {exchange.answer}"[:300]
    if why := _not_learned(exchange, least):
        chat.append(Line(text=_line(asked.text), answers=_intent_that_served(exchange, least)))
        material.aside.append(SetAside(conversation.place, why, told, conversation.id))
        return
    locale = language_of(asked.text, default="en" if conversation.locale == "en" else "zh")
    known = exchange.reply.passage_ids
    found = grounder.ground(asked.text, exchange.answer, locale, context=exchange.context, known=known)
    material.verdicts[found.verdict] += 1
    if asked.standalone:
        material.examples.append(_example(exchange, locale, standalone=asked.standalone))
    cites = found.cites or tuple(passage.id for passage in grounder.named(known))
    stored = tuple(cite for cite in cites if cite.startswith(FAQ_PREFIX))
    # What a document answered has no wordings that it could be one more of.
    known_to_be = stored or (() if found.verdict == "untold" else None)
    chat.append(Line(text=_line(asked.text), answers=known_to_be))
    if cites:
        unit, source, at = conversation.id, conversation.source, conversation.at
        material.pairs.append(
            Pair(_line(found.query), cites[0], locale, unit, source, conversation_id=unit, at=at)
        )
    if found.verdict == "unclear":
        why = "The answer goes beyond the passages or against them: a person should look."
        material.aside.append(SetAside(conversation.place, why, told, conversation.id))
        return
    kind = f"{conversation.source}:stored" if found.verdict == "stored" else conversation.source
    example = _example(exchange, locale, source=kind)
    material.examples.append(
        replace(example, passages=found.passages, answer=found.answer, cites=found.cites)
    )


def _not_learned(exchange: Exchange, least: float) -> str:
    """Why an answer is not learned from; "" when it may be."""
    if exchange.conversation.source == "record" and not exchange.judged:
        return "Nobody told whether the bot's own answer was right."
    if exchange.quality < least:
        return f"The customer was not served by the answer (quality {exchange.quality:.2f} < {least:.2f})."
    return "A template answered; only the intent can be learned from it." if exchange.asked.intent else ""


def _intent_that_served(exchange: Exchange, least: float) -> tuple[str, ...] | None:
    """The intent whose template answered, where somebody told that it served; None: not known."""
    judged = exchange.reply.thumb is not None and exchange.quality >= least
    return (INTENT_PREFIX + exchange.asked.intent,) if exchange.asked.intent and judged else None


def learn_intent(
    exchange: Exchange, intents: Mapping[str, Intent], material: Material, *, least: float
) -> None:
    """Add the intent of a message: the topic that the company filed the conversation under, or the bot's own."""
    conversation, asked = exchange.conversation, exchange.asked
    filed = conversation.topic if exchange.number == 1 and not exchange.context else ""
    acted = asked.intent if exchange.reply.thumb is not None and exchange.quality >= least else ""
    name = acted or filed
    if name in intents:
        locale = language_of(asked.text, default="en" if conversation.locale == "en" else "zh")
        material.labelled.append(
            Labelled(
                _line(asked.text),
                name,
                locale,
                conversation.id,
                conversation.source,
                conversation.id,
                conversation.at,
            )
        )


def learn_completions(completions: Sequence[Completion], material: Material) -> None:
    """Add follow-ups with the standalone questions that people wrote for them."""
    for completion in completions:
        texts = (*completion.context, completion.question)
        # Roles alternate and the last is the customer's.
        roles = ["user" if (len(texts) - 1 - place) % 2 == 0 else "assistant" for place in range(len(texts))]
        unit = "context:" + _digest("\n".join(completion.context[:1]) or completion.question)
        material.examples.append(
            Example(
                id=f"rewrite:{_digest(repr(texts))}",
                locale=language_of(completion.question),
                task="rewrite",
                messages=tuple(zip(roles, texts, strict=True)),
                answer=None,
                standalone=completion.standalone,
                unit=unit,
                source="completion",
                quality=1.0,
                place=completion.place,
            )
        )


def learn_entries(
    entries: Sequence[Entry],
    grounder: Grounder,
    material: Material,
    *,
    seed: int,
    progress: Progress | None = None,
) -> None:
    """Add stored questions and answers: every wording to find its answer, some to be answered from the passages.

    The language of which the logs have less gets more wordings, so that neither drowns.
    """
    stored = [entry for entry in entries if entry.passage.source != "document"]
    composed = Counter(example.locale for example in material.examples if example.task == "compose")
    wordings = {entry.passage.id: _chosen(entry, seed) for entry in stored}
    locales = sorted({entry.passage.locale for entry in stored})
    offered = {locale: [entry for entry in stored if entry.passage.locale == locale] for locale in locales}
    level = max((composed[locale] + _WORDINGS * len(offered[locale]) for locale in locales), default=0)
    met: Counter[str] = Counter()
    for done, entry in enumerate(stored, start=1):
        locale = entry.passage.locale
        more, rest = divmod(level - composed[locale] - _WORDINGS * len(offered[locale]), len(offered[locale]))
        count = min(_MOST_WORDINGS, _WORDINGS + more + (met[locale] < rest))
        met[locale] += 1
        chosen = wordings[entry.passage.id][:count]
        for number, question in enumerate(chosen):
            rng = random.Random(f"{seed}:{entry.passage.id}:{number}")
            material.examples.append(_composed(entry, question, number, grounder, rng))
        material.pairs += _pairs(
            entry, [hit for question in chosen for hit in grounder.hits(question, locale)]
        )
        if progress and (done % 10 == 0 or done == len(stored)):
            progress("Asking stored questions", done / len(stored))


def learn_intents(intents: Iterable[Intent], material: Material) -> None:
    """Add the examples of the intents."""
    for intent in intents:
        for locale, texts in intent.examples.items():
            material.labelled += [
                Labelled(
                    _line(text), intent.name, locale, f"intent:{intent.name}:{locale}:{number}", "intents"
                )
                for number, text in enumerate(texts)
            ]


def with_negatives(pairs: Sequence[Pair], entries: Mapping[str, Passage], grounder: Grounder) -> list[Pair]:
    """The pairs of logs with passages that look like the answer and are none."""
    return [
        pair
        if pair.negative_ids or pair.answer_id not in entries
        else replace(
            pair,
            negative_ids=_negatives(entries[pair.answer_id], (), grounder.hits(pair.question, pair.locale)),
        )
        for pair in pairs
    ]


def _example(exchange: Exchange, locale: str, *, source: str = "", standalone: str | None = None) -> Example:
    conversation = exchange.conversation
    task = "compose" if standalone is None else "rewrite"
    return Example(
        id=f"{exchange.id}:{task}",
        locale=locale,
        task="compose" if standalone is None else "rewrite",
        messages=(*exchange.context, ("user", exchange.asked.text)),
        answer=None,
        unit=conversation.id,
        source=source or conversation.source,
        standalone=standalone,
        conversation_id=conversation.id,
        at=conversation.at,
        quality=exchange.quality,
        place=conversation.place,
    )


def _chosen(entry: Entry, seed: int) -> list[str]:
    """The standard question, then the other wordings in an order of the seed."""
    first, *others = entry.questions or (entry.passage.title,)
    random.Random(f"{seed}:{entry.passage.id}").shuffle(others)
    return [first, *others]


def _composed(entry: Entry, question: str, number: int, grounder: Grounder, rng: random.Random) -> Example:
    """A stored question to be answered from the passages; every fourth without the one that tells."""
    passage = entry.passage
    hits = grounder.hits(question, passage.locale)
    answer = extract(question, passage.text)
    passages = first_passages([*hits, Hit(passage, 0.0, 0)], grounder.passages, [passage.id])
    held_back = rng.randrange(_HELD_BACK) == 0
    if held_back:
        others = [hit for hit in hits if not _tells(answer, hit.passage)]
        passages = first_passages(others, grounder.passages)
    return Example(
        id=f"{passage.id}:{number}",
        locale=passage.locale,
        task="compose",
        messages=(("user", question),),
        answer=None if held_back else answer,
        unit=passage.id,
        source="faq:held back" if held_back else "faq",
        passages=passages,
        cites=() if held_back else (passage.id,),
        quality=1.0,
        place=Place("the knowledge"),
    )


def _pairs(entry: Entry, hits: Sequence[Hit]) -> Iterator[Pair]:
    """Every wording with the answer; the negatives are those of the wordings that were searched for."""
    passage = entry.passage
    negatives = _negatives(passage, entry.negative_questions, sorted(hits, key=lambda hit: -hit.score))
    for number, question in enumerate(dict.fromkeys(map(_line, entry.questions))):
        yield Pair(question, passage.id, passage.locale, f"wording:{passage.id}:{number}", "faq", negatives)


def _negatives(passage: Passage, refused: Sequence[str], hits: Sequence[Hit]) -> tuple[str, ...]:
    """Passages that search puts near the question and that do not tell its answer; named counter-examples first."""
    met = {hit.passage.id: hit.passage for hit in hits}
    near = [
        other
        for other in met.values()
        if other.id != passage.id and other.locale == passage.locale and not _tells(passage.text, other)
    ]
    named = {normalise(text) for text in refused}
    near.sort(key=lambda other: normalise(other.title) not in named)
    return tuple(other.id for other in near[:NEGATIVES])


def _tells(answer: str, passage: Passage) -> bool:
    return share_told(answer, f"{passage.title} {passage.text}") >= _SAME_ANSWER


def _line(text: str) -> str:
    return " ".join(text.split())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def best_of(material: Material, groups: Sequence[Sequence[int]]) -> list[Example]:
    """One example of each group of near-duplicates: the one whose customer was served best; the others are named.

    Stored answers to questions that differ in a name alone ("does the Nirala have wifi") all stay.

    Args:
        material: Its examples are chosen from.
        groups: Places of examples that are alike.
    """
    out: set[int] = set()
    for group in groups:
        ordered = sorted(group, key=lambda place: (-material.examples[place].quality, place))
        best = material.examples[ordered[0]]
        units = {best.unit}
        for place in ordered[1:]:
            example = material.examples[place]
            if example.conversation_id is None and example.unit not in units:
                units.add(example.unit)
                continue
            out.add(place)
            why = f"Nearly the same question as {best.id}, which served the customer at least as well."
            shown, origin = excerpt(example.question, characters=200), example.conversation_id or example.unit
            material.aside.append(SetAside(example.place, why, shown, origin))
    return [example for place, example in enumerate(material.examples) if place not in out]
