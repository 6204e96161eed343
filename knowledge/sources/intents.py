r"""Intents in YAML: examples, slots, answer templates.

    intents:
      - name: order_status
        description: Where is my order?
        examples:
          zh: [我的订单到哪了, 查一下物流]
          en: [where is my order, track my package]
        slots:
          - name: order_id
            type: pattern
            pattern: '[A-Z]{2}\d{8}'
            ask: {zh: 请告诉我订单号。, en: What is your order number?}
        webhook: {url: /orders/{order_id}, fills: [status, eta]}
        templates:
          - when: {status: shipped}
            text: {zh: 订单 {order_id} 已发货……, en: Order {order_id} is on its way ...}
          - text: {zh: ……, en: ...}
        details:
          - text: {zh: 应付金额 {total}。, en: Its total is {total}.}

The models below are the schema; unknown keys are refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from knowledge.settings import Frozen

Texts: TypeAlias = dict[str, str]
"""Language -> text; "zh" and "en"."""
SlotType: TypeAlias = Literal["text", "pattern", "choice", "number", "date", "email", "phone"]

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")


class Slot(Frozen):
    """One thing an intent needs to know."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    type: SlotType = "text"
    pattern: str | None = None
    """Regular expression for type "pattern"; matched without regard to case, in full-width-folded text."""
    choices: dict[str, list[str]] = Field(default_factory=dict)
    """For type "choice": canonical value -> the words customers use for it, in any language."""
    labels: dict[str, Texts] = Field(default_factory=dict)
    """For type "choice": how a canonical value is shown, by language."""
    ask: Texts
    required: bool = True
    sticky: bool = True
    """Whether a value given earlier in the conversation, for any intent, is used without asking."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.type == "pattern":
            if not self.pattern:
                msg = f"slot '{self.name}' has type pattern but no pattern"
                raise ValueError(msg)
            try:
                re.compile(self.pattern)
            except re.error as error:
                msg = f"pattern of slot '{self.name}' is not a regular expression: {error}"
                raise ValueError(msg) from error
        if self.type == "choice" and not self.choices:
            msg = f"slot '{self.name}' has type choice but no choices"
            raise ValueError(msg)
        return self


class Webhook(Frozen):
    """A read-only service (GET, JSON object back) that fills slots."""

    url: str
    """http(s) address, or a path put behind templates.webhook_base; may hold {slots}."""
    fills: list[str]
    """Keys of the answer's JSON object that become slots."""
    not_found: Texts = Field(default_factory=dict)
    """Said on 404; may hold {slots}."""


class Template(Frozen):
    """An answer with plain named slots; the first whose `when` holds is used."""

    when: dict[str, str] = Field(default_factory=dict)
    """Slot -> value it must have; empty: always."""
    text: Texts


class Intent(Frozen):
    """What a customer may want, and how it is answered."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_.]*$")
    description: str = ""
    examples: dict[str, list[str]] = Field(default_factory=dict)
    slots: list[Slot] = Field(default_factory=list)
    webhook: Webhook | None = None
    templates: list[Template] = Field(default_factory=list)
    details: list[Template] = Field(default_factory=list)
    """What more the service tells: where the same is asked again, a line of each whose `when` holds and whose slots are
    known."""
    quick_replies: dict[str, list[str]] = Field(default_factory=dict)
    starter: bool = False
    """Its first example is offered to customers who have not asked anything yet."""
    handoff: Literal["never", "always", "offer"] = "never"
    """always: a person takes over (slots are asked first); offer: the template offers one."""

    def label(self, language: str) -> str:
        """What it is called towards customers: its first example in a language, or in any."""
        examples = self.examples.get(language) or next(iter(self.examples.values()), [])
        return examples[0] if examples else self.description

    @field_validator("examples", "quick_replies")
    @classmethod
    def _languages(cls, value: dict[str, list[str]]) -> dict[str, list[str]]:
        for language in value:
            if language not in ("zh", "en"):
                msg = f"language '{language}' is not known; known are zh and en"
                raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _placeholders_are_slots(self) -> Self:
        known = {slot.name for slot in self.slots} | set(self.webhook.fills if self.webhook else [])
        known |= {"company", "bot_name", "contact", "hours"}
        for template in (*self.templates, *self.details):
            for text in template.text.values():
                for name in PLACEHOLDER.findall(text):
                    if name not in known:
                        msg = f"template of '{self.name}' uses {{{name}}}, which no slot or webhook fills; known are {', '.join(sorted(known))}"
                        raise ValueError(msg)
        if not self.templates and self.handoff != "always":
            msg = f"intent '{self.name}' has no template"
            raise ValueError(msg)
        return self


def starters(intents: Iterable[Intent], language: str) -> list[str]:
    """Questions to offer before anything was asked: the first example of each starter, in that language."""
    return [
        intent.examples[language][0] for intent in intents if intent.starter and intent.examples.get(language)
    ]


class IntentFile(Frozen):
    """A whole YAML file."""

    intents: list[Intent]
