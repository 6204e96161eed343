"""What to do about a message: a pure function of what was understood, what was found, and what went before.

The rules stand in the order in which they are tried; the first that fits decides, and says so in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chatbot.decide.thresholds import Thresholds
from chatbot.types import (
    AnswerFrom,
    AskSlot,
    Clarify,
    Decline,
    Handoff,
    Option,
    Turn,
    Understanding,
    UseTemplate,
    Verdict,
)
from knowledge.sources.intents import Intent
from knowledge.types import Hit

MAX_ATTEMPTS = 2
"""How often a slot is asked before a person is brought in."""
VERY_UNHAPPY = -0.6
LIKELY = 0.5
"""More probable than not; probabilities are calibrated, so this is no knob."""
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

    @property
    def version(self) -> str:
        """The calibration in force, marked when it is stale."""
        return self.calibration + ("+strict" if self.strict else "")

    def decide(self, understanding: Understanding, hits: Sequence[Hit], history: Sequence[Turn]) -> Verdict:
        """The first rule that fits; see the module's docstring."""
        for rule in RULES:
            verdict = rule(self, understanding, hits, history)
            if verdict is not None:
                return verdict
        return _give_up(self, understanding, hits, history)

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
    verdict = _follow_intent(policy, u, history, "The customer gives or corrects what was asked for.")
    vain = isinstance(verdict.decision, AskSlot) and verdict.decision.attempt > 1
    if vain and hits and hits[0].score >= policy.thresholds.suggest:
        return None  # it was no answer to the bot's question but a question of its own
    return verdict


def _smalltalk(policy: RulePolicy, u: Understanding, _h: Sequence[Hit], _t: Sequence[Turn]) -> Verdict | None:
    if u.act != "smalltalk" or u.intent is None or u.intent not in policy.intents:
        return None
    return Verdict(UseTemplate(u.intent), "Small talk.")


def _unhappy(_p: RulePolicy, u: Understanding, _h: Sequence[Hit], history: Sequence[Turn]) -> Verdict | None:
    if u.sentiment > VERY_UNHAPPY or not history:
        return None
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
    if u.intent not in policy.intents or u.confidence < policy.thresholds.intent:
        return None
    surer = hits[0].score if hits and hits[0].passage.source != "document" else 0.0
    if surer > u.confidence and surer >= policy.thresholds.strict:
        return None  # the stored answer holds at half the risk
    why = f"Intent {u.intent} with probability {u.confidence:.2f} (needed {policy.thresholds.intent:.2f})."
    return _follow_intent(policy, u, history, why)


def _follow_intent(policy: RulePolicy, u: Understanding, history: Sequence[Turn], why: str) -> Verdict:
    intent = policy.intents[u.intent or ""]
    for slot in intent.slots:
        if slot.required and slot.name not in u.slots:
            attempt = 1 + _times_asked(intent.name, slot.name, history)
            if attempt > MAX_ATTEMPTS:
                return Verdict(
                    Handoff("no_answer", intent.name),
                    f"{why} '{slot.name}' was asked {MAX_ATTEMPTS} times in vain.",
                )
            return Verdict(
                AskSlot(intent.name, slot.name, dict(u.slots), attempt), f"{why} '{slot.name}' is missing."
            )
    if intent.handoff == "always":
        return Verdict(Handoff("intent", intent.name), f"{why} This intent always goes to a person.")
    return Verdict(UseTemplate(intent.name, dict(u.slots)), why)


def _times_asked(intent: str, slot: str, history: Sequence[Turn]) -> int:
    count = 0
    for turn in reversed(history):
        if not isinstance(turn.decision, AskSlot) or (turn.decision.intent, turn.decision.slot) != (
            intent,
            slot,
        ):
            break
        count += 1
    return count


def _stored_answer(
    policy: RulePolicy, _u: Understanding, hits: Sequence[Hit], _t: Sequence[Turn]
) -> Verdict | None:
    best = next((hit for hit in hits if hit.passage.source != "document"), None)
    if best is None or best.score < policy.answer_from:
        return None
    why = f"P(answers) = {best.score:.2f}, needed {policy.answer_from:.2f}"
    return Verdict(
        AnswerFrom((best.passage.id,), verbatim=True),
        f"{why}{' (strict: ' + policy.strict + ')' if policy.strict else ''}.",
    )


def _suggested(
    policy: RulePolicy, _u: Understanding, hits: Sequence[Hit], _t: Sequence[Turn]
) -> Verdict | None:
    if not hits or hits[0].passage.source == "document" or hits[0].score < policy.thresholds.suggest:
        return None
    others = [hit.passage.id for hit in hits[1:3] if hit.passage.source != "document"]
    return Verdict(
        AnswerFrom((hits[0].passage.id, *others), verbatim=True, sure=False),
        f"P(answers) = {hits[0].score:.2f}: too little to claim ({policy.answer_from:.2f}), enough to offer ({policy.thresholds.suggest:.2f}).",
    )


def _likely_intent(
    policy: RulePolicy, u: Understanding, hits: Sequence[Hit], history: Sequence[Turn]
) -> Verdict | None:
    if u.intent not in policy.intents or u.confidence < LIKELY:
        return None
    if hits and hits[0].score > u.confidence:
        return None
    why = f"Intent {u.intent} is more likely right than not ({u.confidence:.2f}), and nothing stored is likelier."
    return _follow_intent(policy, u, history, why)


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
    near = [hit for hit in hits if hit.passage.source != "document"][:3]
    if not near or near[0].score < policy.thresholds.clarify:
        return None
    options = [Option(hit.passage.title, passage_id=hit.passage.id) for hit in near]
    last = history[-1].decision if history else None
    if isinstance(last, Clarify) and options[0].passage_id in {option.passage_id for option in last.options}:
        return None  # asking the same twice in a row helps nobody
    intent = policy.intents.get(u.intent or "")
    if intent and intent.description and policy.thresholds.intent / 2 <= u.confidence:
        options = [Option(_label(intent, u.language), intent=intent.name), *options[:2]]
    return Verdict(
        Clarify(tuple(options)),
        f"The best answer has {near[0].score:.2f}: too little to answer ({policy.answer_from:.2f}), enough to ask ({policy.thresholds.clarify:.2f}).",
    )


def _label(intent: Intent, language: str) -> str:
    examples = intent.examples.get(language) or next(iter(intent.examples.values()), [])
    return examples[0] if examples else intent.description


def _give_up(policy: RulePolicy, u: Understanding, hits: Sequence[Hit], history: Sequence[Turn]) -> Verdict:
    best = hits[0].score if hits else 0.0
    related = best >= policy.thresholds.clarify / 2
    if related and history and history[-1].decision == Decline("no_answer"):
        return Verdict(Handoff("no_answer"), "Twice in a row nothing sure was found: a person should look.")
    if u.sentiment <= VERY_UNHAPPY:
        return Verdict(Handoff("unhappy"), "The customer is angry and nothing sure was found.")
    reason = f"Nothing found is sure enough (best {best:.2f})."
    return Verdict(Decline("no_answer" if related else "out_of_scope"), reason)


RULES: tuple[Rule, ...] = (
    _urgent,
    _person,
    _chosen,
    _dropped,
    _slot_filling,
    _smalltalk,
    _unhappy,
    _word_for_word,
    _intent,
    _stored_answer,
    _suggested,
    _composed,
    _likely_intent,
    _clarify,
)
