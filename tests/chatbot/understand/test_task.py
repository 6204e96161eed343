"""What a conversation is busy with, and which messages stay with it."""

from __future__ import annotations

from dataclasses import replace

from understand_turns import answered, asked, told

from chatbot.types import AnswerFrom, Several, UseTemplate
from chatbot.understand.intent import Guess
from chatbot.understand.task import Task, may_stay, task_of
from knowledge.sources.intents import Intent, Slot, Template

NUMBER = Slot(name="order_id", type="pattern", pattern=r"KF\d{8}", ask={"en": "Which?"})
PRODUCT = Slot(name="product", type="choice", choices={"x": ["x"]}, ask={"en": "Which?"})
SAID = [Template(text={"en": "It is {order_id}."})]
INTENTS = {
    "status": Intent(name="status", slots=[NUMBER], templates=SAID),
    "cancel": Intent(name="cancel", slots=[NUMBER], templates=SAID),
    "price": Intent(name="price", slots=[PRODUCT], templates=[Template(text={"en": "It is cheap."})]),
}
TOLD = told("where is KF20260311", "status", order_id="KF20260311")
TASK = Task(TOLD, INTENTS["status"], None, fresh=True)


def stays(guess: Guess, text: str = "how long", task: Task = TASK) -> bool:
    return may_stay(guess, task, text, intents=INTENTS)


def test_a_few_unsure_words_stay_with_the_task() -> None:
    assert stays(Guess("status", 0.3))
    assert stays(Guess("price", 0.8))
    assert stays(Guess("cancel", 0.4))


def test_a_wish_that_needs_what_the_task_holds_or_is_certain_is_believed() -> None:
    assert not stays(Guess("cancel", 0.7))
    assert not stays(Guess("price", 0.95))
    assert not stays(Guess("price", 0.5, exact=True))


def test_many_words_an_older_task_or_a_question_for_a_slot_are_not_stayed_with() -> None:
    assert not stays(Guess("status", 0.3), "which colours does the telephone camera strap have")
    assert not stays(Guess("status", 0.3), task=replace(TASK, fresh=False))
    assert not stays(Guess("status", 0.3), task=replace(TASK, asked=NUMBER))


def test_of_several_answers_the_last_one_is_the_task() -> None:
    both = Several((AnswerFrom(("fee",), verbatim=True), UseTemplate("status", {"order_id": "KF20260311"})))

    task = task_of([replace(TOLD, decision=both)], INTENTS)

    assert task is not None
    assert (task.intent.name, task.fresh) == ("status", True)


def test_a_task_is_forgotten_after_other_questions() -> None:
    other = answered("fees?", "What are the fees?")

    assert task_of([asked("where", "status", "order_id"), other, other, other], INTENTS) is None
