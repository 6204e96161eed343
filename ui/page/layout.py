"""What stands where on the page."""

from __future__ import annotations

import html
from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from chatbot.settings import Settings
from ui.page.texts import texts


@dataclass(frozen=True, slots=True)
class Parts:
    """The page's components, by what they are for."""

    blocks: gr.Blocks
    saved: gr.BrowserState
    current: gr.State
    asked: gr.State
    rated: gr.State
    header: gr.HTML
    language: gr.Radio
    new: gr.Button
    past: gr.Radio
    chat: gr.Chatbot
    box: gr.Textbox
    note: gr.HTML
    feedback: gr.Column
    reasons: gr.CheckboxGroup
    comment: gr.Textbox
    send: gr.Button
    skip: gr.Button
    why_title: gr.HTML
    why: gr.HTML

    def everything(self) -> list[Any]:
        """All components that an event may change."""
        return [getattr(self, field.name) for field in fields(self) if field.name != "blocks"]


def draw(settings: Settings) -> Parts:
    """Lay the page out; words come with the first load, in the visitor's language."""
    language = settings.languages.default
    words = texts(language)
    with gr.Blocks(title=settings.project.bot_name, fill_height=True, analytics_enabled=False) as blocks:
        made: dict[str, Any] = {
            "blocks": blocks,
            "saved": gr.BrowserState({}, storage_key="kefu", secret="kefu-page"),  # noqa: S106 - not a secret: it keeps ids readable after a restart
            "current": gr.State(""),
            "asked": gr.State(""),
            "rated": gr.State(""),
        }
        made |= _left(words)
        made |= _right(words)
        made |= _middle(settings, words, language)
    return Parts(**made)


def _left(words: dict[str, Any]) -> dict[str, Any]:
    with gr.Sidebar(open=False, elem_classes="past-bar", width=280):
        return {
            "new": gr.Button("＋ " + words["new"], elem_classes="new-button", variant="secondary"),
            # Without a container the label is for screen readers only; the style sheet shows it to all.
            "past": gr.Radio([], label=words["no_past"], elem_classes="past-list", container=False),
        }


def _right(words: dict[str, Any]) -> dict[str, Any]:
    with gr.Sidebar(open=False, position="right", elem_classes="why-bar", width=360):
        return {
            "why_title": gr.HTML(_heading(words["why"]), elem_classes="why-title"),
            "why": gr.HTML("", elem_classes="why-body"),
        }


def _middle(settings: Settings, words: dict[str, Any], language: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    with gr.Column(elem_classes="middle", scale=1):
        with gr.Row(elem_classes="top", equal_height=True):
            made["header"] = gr.HTML(header(settings, language), elem_classes="brand")
            made["language"] = gr.Radio(
                [("中文", "zh"), ("English", "en")],
                value=language,
                label=words["language"],
                container=False,
                elem_classes="language",
                min_width=140,
                scale=0,
            )
        made["chat"] = gr.Chatbot(
            show_label=False,
            label=settings.project.bot_name,
            container=False,
            scale=1,
            height=None,
            elem_classes="chat",
            layout="bubble",
            buttons=["copy"],
            feedback_options=("Like", "Dislike"),
            latex_delimiters=[],
            allow_tags=False,
        )
        with gr.Column(visible=False, elem_classes="feedback") as made["feedback"]:
            made["reasons"] = gr.CheckboxGroup(words["reasons"], label=words["rate_question"])
            made["comment"] = gr.Textbox(
                label=words["comment"], placeholder=words["comment"], max_lines=3, container=False
            )
            with gr.Row():
                made["send"] = gr.Button(words["send"], variant="primary", size="sm")
                made["skip"] = gr.Button(words["skip"], size="sm")
        made["box"] = gr.Textbox(
            label=words["placeholder"],
            placeholder=words["placeholder"],
            container=False,
            autofocus=True,
            lines=1,
            max_lines=6,
            submit_btn=True,
            stop_btn=False,
            elem_classes="box",
        )
        made["note"] = gr.HTML(_note(words), elem_classes="note")
    return made


def relabel(parts: Parts, settings: Settings, language: str) -> dict[Any, Any]:
    """All fixed words in another language."""
    words = texts(language)
    return {
        parts.header: header(settings, language),
        parts.language: gr.Radio(value=language, label=words["language"]),
        parts.new: gr.Button("＋ " + words["new"]),
        parts.send: gr.Button(words["send"]),
        parts.skip: gr.Button(words["skip"]),
        parts.note: _note(words),
        parts.why_title: _heading(words["why"]),
    }


def header(settings: Settings, language: str) -> str:
    """Name of the bot, and that it is one."""
    name = html.escape(settings.project.bot_name)
    badge = html.escape(texts(language)["automated"])
    initial = html.escape(settings.project.bot_name[:1])
    return (
        f"<div class='who'><span class='avatar' aria-hidden='true'>{initial}</span>"
        f"<span><h1>{name}</h1><span class='badge'>{badge}</span></span></div>"
    )


def _heading(text: str) -> str:
    return f"<h2>{html.escape(text)}</h2>"


def _note(words: dict[str, Any]) -> str:
    return f"<p>{html.escape(words['automated_long'])}</p>"
