"""Messages as plain text, for models that were never taught a chat template.

    You answer customers ...

    Question: ...
    Answer: ...

    Question: ...
    Answer:

The constant part (instruction and examples) comes first, so that a prompt cache can keep it.
"""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import AIMessage, BaseMessage, SystemMessage

STOP = ("\n",)
"""An answer is one paragraph; what a base model writes after it is the next question."""


def render(messages: Sequence[BaseMessage]) -> str:
    """The transcript up to the place where the answer begins.

    A message of the human ends with the cue of the answer ("Answer:", "回答:"), chosen by whoever wrote the
    prompt; the answer follows on the same line.
    """
    parts: list[str] = []
    for message in messages:
        text = message.text.strip()
        if isinstance(message, SystemMessage):
            parts.append(f"{text}\n\n")
        elif isinstance(message, AIMessage):
            parts.append(f" {text}\n\n")
        else:
            parts.append(text)
    return "".join(parts)
