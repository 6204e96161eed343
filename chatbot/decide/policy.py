"""What to do about a message: a pure function of what was understood, what was found, and what went before.

The rules stand in the order in which they are tried; the first that fits decides, and says so in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chatbot.decide.before import carried, last_told, own_record, times_asked, times_told, told_before
from chatbot.decide.needed import asked_alike, missing_slots
from chatbot.decide.offering import instead_of_asking, names_another, offer, own_first
from chatbot.decide.pleasantries import grumbled, thanked
from chatbot.decide.reading import read_first
from chatbot.decide.thresholds import Thresholds
from chatbot.types import (
    LIKELY,
    VERY_UNHAPPY,
    AnswerFrom,
    AskSlot,
    Clarify,
    Decline,
    Handoff,
    Option,
    Several,
    Turn,
    Understanding,
    UseTemplate,
    Verdict,
)
from knowledge.sources.intents import Intent
from knowledge.types import Hit

MAX_ATTEMPTS = 2
"""How often a slot is asked before a person is brought in."""
MAYBE = 0.6
"""Of the threshold of intents: from here on it is worth asking whether an intent was meant."""
SHARE = 0.1
"""Of the best answer's probability: what has less is no option to choose from."""
MUCH = 0.2
NEAR = 0.1
"""A rule is told beside an intent that it is not farther behind, nor much ahead of."""
CERTAIN = 0.999
"""Confidence that only an intent's own example, word for word, reaches."""


@dataclass(frozen=True, slots=True)
class RulePolicy:
    """The rules over fitted thresholds; implements `chatbot.types.Policy`."""

    intents: Mapping[str, Intent]
    thresholds: Thresholds
    strict: str = ""
    """Why the certificate does not fit, if so; then only surer answers are given."""
    calibration: str = "none"
    passages: int = 3
    reads: bool = False
    """Whether the dialogue model can be asked which of some passages tells, if any."""

    @property
    def version(self) -> str:
        """The calibration in force, marked when it is stale."""
        return self.calibration + ("+strict" if self.strict else "")

    def decide(self, understanding: Understanding, hits: Sequence[Hit], history: Sequence[Turn]) -> Verdict:
        """The first rule that fits; see the module's docstring."""
        hits = own_first(hits, understanding.query, self.intents.values())
        for rule in RULES:
            verdict = rule(self, understanding, hits, history)
            if verdict is not None:
                break
        else:
            verdict = _give_up(self, understanding, hits, history)
        if not self.reads:
            return verdict
        last = history[-1] if history else None
        follows = understanding.rewritten or bool(understanding.other_reading or understanding.read_as)
        return read_first(verdict, hits, last, follows=follows, near_from=self.related, most=self.passages)

    @property
    def related(self) -> float:
        """The probability from which a passage is about the same thing, if no answer."""
        return self.thresholds.clarify / 3

    @property
    def answer_from(self) -> float:
        """The probability from which a stored answer is given."""
        return self.thresholds.strict if self.strict else self.thresholds.answer


Rule = Callable[[RulePolicy, Understanding, Sequence[Hit], Sequence[Turn]], Verdict | None]


def _urgent(policy: RulePolicy, u: Understanding, _h: Sequence[Hit], _t: Sequence[Turn]) -> Verdict | None:
    if u.act != "urgent" or "care.emergency" not in policy.intents:
        return None
    return Verdict(
        UseTemplate("care.emergency"), "The message speaks of danger: the caring answer comes first."
    )


def _person(_p: RulePolicy, u: Understanding, _h: Sequence[Hit], _t: Sequence[Turn]) -> Verdict | None:
    if u.act != "human":
        return None
    return Verdict(Handoff("requested"), "The customer asks for a person.")


def _chosen(_p: RulePolicy, u: Understanding, _h: Sequence[Hit], _t: Sequence[Turn]) -> Verdict | None:
    if u.passage_id is None:
        return None
    return Verdict(
        AnswerFrom((u.passage_id,), verbatim=True), "The customer chose this question from the options."
    )


def _dropped(policy: RulePolicy, u: Understanding, _h: Sequence[Hit], _t: Sequence[Turn]) -> Verdict | None:
    if u.act != "cancel" or "smalltalk.cancel" not in policy.intents:
        return None
    return Verdict(UseTemplate("smalltalk.cancel"), "The customer drops the task.")


def _slot_filling(
    policy: RulePolicy, u: Understanding, hits: Sequence[Hit], history: Sequence[Turn]
) -> Verdict | None:
    if u.act not in ("inform", "correct") or u.intent not in policy.intents:
        return None
    return _follow_intent(policy, u, hits, history, "The customer gives or corrects what was asked for.")


def _smalltalk(policy: RulePolicy, u: Understanding, _h: Sequence[Hit], _t: Sequence[Turn]) -> Verdict | None:
    if u.act != "smalltalk" or u.intent is None or u.intent not in policy.intents:
        return None
    return Verdict(UseTemplate(u.intent), "Small talk.")


def _unhappy(
    policy: RulePolicy, u: Understanding, hits: Sequence[Hit], history: Sequence[Turn]
) -> Verdict | None:
    if u.sentiment > VERY_UNHAPPY or not history:
        return None
    if u.confidence >= policy.thresholds.intent or (hits and hits[0].score >= policy.answer_from):
        return None  # angry, but to the point: the answer helps more
    before = history[-1].understanding.sentiment
    helpless = isinstance(history[-1].decision, Decline | Clarify)
    if before > VERY_UNHAPPY and not helpless:
        return None
    return Verdict(Handoff("unhappy"), "The customer is angry and the bot did not help before.")


def _word_for_word(
    policy: RulePolicy, u: Understanding, hits: Sequence[Hit], _t: Sequence[Turn]
) -> Verdict | None:
    best = next((hit for hit in hits if hit.features.get("exact", 0.0) >= 1.0), None)
    if best is None or best.passage.source == "document" or u.rewritten:
        return None
    if u.intent in policy.intents and u.confidence >= CERTAIN:
        return None
    return Verdict(
        AnswerFrom((best.passage.id,), verbatim=True), f"Word for word a stored question: “{best.matched}”."
    )


def _intent(
    policy: RulePolicy, u: Understanding, hits: Sequence[Hit], history: Sequence[Turn]
) -> Verdict | None:
    sure = asked_alike(policy.intents, u)
    if u.intent not in policy.intents or sure < policy.thresholds.intent or u.stays:
        return None
    surer = hits[0].score if hits and hits[0].passage.source != "document" else 0.0
    # Of what the customer names in this message the intent says more than any stored answer; and without what
    # it needs, both are said as long as either may be meant.
    ahead = 0.0 if carried(u, history) else MUCH
    if surer > sure + ahead and surer >= policy.thresholds.strict:
        return None  # the stored answer holds at half the risk
    why = f"Intent {u.intent} with probability {sure:.2f} (needed {policy.thresholds.intent:.2f})."
    return _follow_intent(policy, u, hits, history, why)


def _follow_intent(
    policy: RulePolicy, u: Understanding, hits: Sequence[Hit], history: Sequence[Turn], why: str
) -> Verdict:
    intent = policy.intents[u.intent or ""]
    if missing := missing_slots(intent, u.slots):
        slot = missing[0]
        attempt = 1 + times_asked(slot, u, history)
        if rule := _rule_asked(u, hits, history, again=attempt > 1):
            decision = AskSlot(intent.name, slot, dict(u.slots), passage_id=rule)
            return Verdict(decision, f"{why} A stored answer tells the rule; '{slot}' is missing.")
        if attempt > MAX_ATTEMPTS:
            reason = f"{why} '{slot}' was asked {MAX_ATTEMPTS} times in vain."
            return Verdict(Handoff("no_answer", intent.name), reason)
        return Verdict(AskSlot(intent.name, slot, dict(u.slots), attempt), f"{why} '{slot}' is missing.")
    if intent.handoff == "always":
        return Verdict(Handoff("intent", intent.name), f"{why} This intent always goes to a person.")
    template = UseTemplate(intent.name, dict(u.slots))
    rule = _rule_asked(u, hits, history, again=False) if carried(u, history) else None
    if rule and hits[0].score >= policy.answer_from:
        answers = (AnswerFrom((rule,), verbatim=True), template)
        return Verdict(Several(answers), f"{why} A stored answer tells the rule as surely.")
    return Verdict(template, why)


def _rule_asked(u: Understanding, hits: Sequence[Hit], history: Sequence[Turn], *, again: bool) -> str | None:
    """The stored answer for who asks what the rules are, where the intent asks for their own case.

    Both are given, since "can I return it?" may mean either. When the slot was asked before, the message is
    more likely a question of its own than an answer, and less is needed.
    """
    if not hits or hits[0].passage.source == "document" or hits[0].passage.id in last_told(history):
        return None
    if u.confidence >= CERTAIN and not again:
        return None
    needed = LIKELY if again else max(LIKELY, u.confidence - NEAR)
    return hits[0].passage.id if hits[0].score >= needed else None


def _own_record(policy: RulePolicy, u: Understanding, h: Sequence[Hit], t: Sequence[Turn]) -> Verdict | None:
    if not u.read_as or (h and h[0].score >= policy.thresholds.strict) or (told := own_record(u, t)) is None:
        return None
    return Verdict(told, "All that is spoken of stands in what was just told of the customer's own case.")


def _stored_answer(
    policy: RulePolicy, u: Understanding, hits: Sequence[Hit], _t: Sequence[Turn]
) -> Verdict | None:
    found = [hit for hit in hits if hit.passage.source != "document"]
    if not found or found[0].score < policy.answer_from:
        return None
    best = found[0]
    if names_another(best.passage.title, u.slots, policy.intents.values()):
        return Verdict(offer(found), "The stored question names another one than the customer spoke of.")
    strict = f" (strict: {policy.strict})" if policy.strict else ""
    why = f"P(answers) = {best.score:.2f}, needed {policy.answer_from:.2f}{strict}."
    return Verdict(AnswerFrom((best.passage.id,), verbatim=True), why)


def _same_task(
    policy: RulePolicy, u: Understanding, hits: Sequence[Hit], history: Sequence[Turn]
) -> Verdict | None:
    intent = policy.intents.get(u.intent or "")
    if not u.stays or intent is None or missing_slots(intent, u.slots):
        return None
    needed = LIKELY if len(u.new_words) > 1 else policy.answer_from
    if hits and hits[0].score >= needed and hits[0].passage.source != "document":
        return None
    if times_told(u, history) > 1:
        return Verdict(Decline("nothing_more"), "The template was said twice already and holds no more.")
    why = "A few words that nothing stored answers surely, right after this template: more is asked of it."
    return _follow_intent(policy, u, hits, history, why)


def _stranger(
    policy: RulePolicy, u: Understanding, hits: Sequence[Hit], history: Sequence[Turn]
) -> Verdict | None:
    likely = bool(hits) and hits[0].score >= policy.thresholds.suggest
    if u.rewritten and not likely and history and history[-1].decision == Decline("out_of_scope"):
        return Verdict(Decline("out_of_scope"), "More is asked of what was out of scope.")
    near = max((hit.features.get("cosine_question", 1.0) for hit in hits), default=1.0)
    if u.rewritten or u.read_as or u.stranger <= near or u.confidence >= LIKELY:
        return None
    return Verdict(
        Decline("out_of_scope"),
        f"Nearer ({u.stranger:.3f}) to what no support bot should answer than to anything stored ({near:.3f}).",
    )


def _thanked(policy: RulePolicy, u: Understanding, _h: Sequence[Hit], t: Sequence[Turn]) -> Verdict | None:
    return thanked(u, t) if "smalltalk.thanks" in policy.intents else None


def _closed(policy: RulePolicy, u: Understanding, h: Sequence[Hit], t: Sequence[Turn]) -> Verdict | None:
    return _thanked(policy, u, h, t) or _grumble(policy, u, h, t) if told_before(u, t) else None


def _grumble(_p: RulePolicy, u: Understanding, _h: Sequence[Hit], t: Sequence[Turn]) -> Verdict | None:
    return grumbled(u, t)


def _suggested(
    policy: RulePolicy, u: Understanding, hits: Sequence[Hit], history: Sequence[Turn]
) -> Verdict | None:
    if not hits or hits[0].passage.source == "document" or hits[0].score < policy.thresholds.suggest:
        return None
    if u.intent in policy.intents and u.confidence > max(hits[0].score, policy.thresholds.intent * MAYBE):
        return None  # an intent is likelier: it is followed or asked about
    told = hits[0].passage.id in last_told(history)
    if (
        told
        and not u.read_as
        and not any(word.lower() in hits[0].passage.text.lower() for word in u.new_words)
    ):
        return Verdict(Decline("nothing_more"), "Nothing is nearer than the answer that was just given.")
    why = f"P(answers) = {hits[0].score:.2f}: too little to claim ({policy.answer_from:.2f}), enough to offer ({policy.thresholds.suggest:.2f})."
    return Verdict(offer(hits), why)


def _likely_intent(
    policy: RulePolicy, u: Understanding, hits: Sequence[Hit], history: Sequence[Turn]
) -> Verdict | None:
    sure = asked_alike(policy.intents, u)
    if u.intent not in policy.intents or sure < LIKELY or (hits and hits[0].score > sure):
        return None
    why = f"Intent {u.intent} is more likely right than not ({sure:.2f}), and nothing stored is likelier."
    return _follow_intent(policy, u, hits, history, why)


def _composed(
    policy: RulePolicy, _u: Understanding, hits: Sequence[Hit], _t: Sequence[Turn]
) -> Verdict | None:
    documents = [hit for hit in hits if hit.passage.source == "document"]
    if not documents or documents[0].score < policy.thresholds.compose:
        return None
    chosen = [hit for hit in hits if hit.score >= policy.thresholds.compose][: policy.passages]
    chosen.sort(key=lambda hit: hit.passage.source != "document")
    return Verdict(
        AnswerFrom(tuple(hit.passage.id for hit in chosen), verbatim=False),
        f"No stored answer is sure enough; a document passage is ({documents[0].score:.2f}, needed {policy.thresholds.compose:.2f}).",
    )


def _clarify(
    policy: RulePolicy, u: Understanding, hits: Sequence[Hit], history: Sequence[Turn]
) -> Verdict | None:
    told = last_told(history)
    near = [hit for hit in hits if hit.passage.source != "document" and hit.passage.id not in told]
    near = ([hit for hit in near if hit.passage.locale == u.language] or near)[:3]
    intent = policy.intents.get(u.intent or "")
    # "Do you mean “I want to die”?" is never asked, nor is small talk.
    askable = intent is not None and bool(intent.description) and "." not in intent.name
    best = min(1.0, sum(hit.score for hit in near) + u.confidence * (askable and bool(u.near)))
    meant = askable and u.confidence >= policy.thresholds.intent * MAYBE
    if best < policy.thresholds.clarify and not meant:
        return None
    repeats = times_told(u, history)
    if meant and repeats == 1:
        return _follow_intent(policy, u, hits, history, "Likely more is asked of what was just told.")
    least = policy.thresholds.clarify if meant and not u.near else SHARE * best
    near = [hit for place, hit in enumerate(near) if hit.score >= least or (place < 2 and not meant)]
    options = [(hit.score, Option(hit.passage.title, passage_id=hit.passage.id)) for hit in near]
    plain = intent and u.slots and not missing_slots(intent, u.slots) and intent.handoff != "always"
    if meant and plain and not repeats:
        return _follow_intent(policy, u, hits, history, "Likely meant, and all that it needs is known.")
    if intent and (meant or (askable and u.near and u.confidence >= SHARE * best)):
        options.append((u.confidence, Option(intent.label(u.language), intent=intent.name)))
        # Where they were not weighed against each other, only an intent that is likely is among them, and first.
        options.sort(key=lambda one: -one[0] if u.near else one[1].intent is None)
    asked = tuple(option for _, option in options[:3])
    last = history[-1].decision if history else None
    if isinstance(last, Clarify) and asked[0] in last.options:
        return instead_of_asking(asked, "Which was meant was asked a moment ago.")
    shown = (
        instead_of_asking(asked, f"Likelier ({near[0].score:.2f}) than any other.")
        if u.near and near
        else None
    )
    return shown or Verdict(
        Clarify(asked),
        f"The three best answers have {best:.2f}, the best intent {u.confidence:.2f}: too little to act on ({policy.answer_from:.2f}, {policy.thresholds.intent:.2f}), enough to ask ({policy.thresholds.clarify:.2f}, {policy.thresholds.intent * MAYBE:.2f}).",
    )


def _give_up(policy: RulePolicy, u: Understanding, hits: Sequence[Hit], history: Sequence[Turn]) -> Verdict:
    best = hits[0].score if hits else 0.0
    if best >= policy.related and history and history[-1].decision == Decline("no_answer"):
        return Verdict(Handoff("no_answer"), "Twice in a row nothing sure was found: a person should look.")
    if u.sentiment <= VERY_UNHAPPY:
        return Verdict(Handoff("unhappy"), "The customer is angry and nothing sure was found.")
    why = f"Nothing found is sure enough (best {best:.2f})."
    near = max((hit.features.get("nearness", 0.0) for hit in hits), default=0.0)
    related = best >= policy.related or near > u.stranger > 0
    return Verdict(Decline("no_answer" if related else "out_of_scope"), why)


RULES: tuple[Rule, ...] = (
    _urgent,
    _person,
    _chosen,
    _dropped,
    _slot_filling,
    _smalltalk,
    _unhappy,
    _word_for_word,
    _closed,
    _intent,
    _own_record,
    _stored_answer,
    _same_task,
    _stranger,
    _likely_intent,
    _thanked,
    _grumble,
    _suggested,
    _composed,
    _clarify,
)
