"""Gradio is loaded without writing stub files."""

from __future__ import annotations

import inspect

import pytest

from ui.page.loading import _without_sources, load_gradio


def test_gradio_is_loaded_whole_and_nothing_stays_changed() -> None:
    before = inspect.getfile

    gradio = load_gradio()

    assert issubclass(gradio.Textbox, gradio.components.Component)
    assert inspect.getfile is before


def test_only_gradios_own_classes_hide_their_source_files_and_only_while_it_loads() -> None:
    textbox = load_gradio().Textbox

    with _without_sources():
        with pytest.raises(OSError):
            inspect.getfile(textbox)
        others = inspect.getfile(pytest.Item)

    assert others.endswith(".py")
    assert inspect.getfile(textbox).endswith("textbox.py")
