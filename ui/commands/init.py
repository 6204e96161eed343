"""kefu init: a new project folder."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from knowledge.errors import SettingsError
from ui.terminal import talk

TOML = """\
# Settings of this bot. Everything left out has a sensible default: 'kefu doctor --settings' prints them all.
# Secrets never stand here: give them as variables, e.g. KEFU__GENERATION__MODEL__API_KEY.

[project]
name = "{name}"            # the company, as customers know it
bot_name = "{name} Assistant"

[languages]
default = "zh"             # spoken when a message does not tell: "zh" or "en"

[handoff]
hours = "Mon-Fri 09:00-18:00"   # when people can take over; "" for always
timezone = "Asia/Shanghai"
contact = ""                    # shown when nobody is there: an e-mail address or a phone number

# The chat window on your own pages: kefu site add "Help centre" --origin https://help.shop.example
# What it asks before the first message, if anything:
# [[widget.prechat]]
# name = "order"
# label = { zh = "订单号", en = "Order number" }

# Another encoder: any sentence-transformers folder, or a hub name where a hub can be reached.
# [knowledge.encoder]
# kind = "sentence_transformers"
# model = "/models/bge-m3"

# Another dialogue model: a GGUF file, a Hugging Face folder, or any OpenAI-compatible server.
# [generation.model]
# kind = "openai_compatible"
# base_url = "http://127.0.0.1:8000/v1"
# model = "my-model"
"""

FAQ = """\
id,question,similar_questions,answer,category,locale
hours,What are your opening hours?,When are you open?##Are you open on Sundays?,"We are open Monday to Friday, 9 am to 6 pm.",general,en
hours-zh,你们的营业时间是什么时候？,几点开门？##周日营业吗？,我们周一至周五 9:00–18:00 营业。,常见问题,zh
"""

INTENTS = """\
# What customers want done about their own case. Try it: kefu import intents intents.yaml
intents:
  - name: opening_hours_of_store
    description: When is a store open?
    examples:
      en: [when does the store in Springfield open, is the Springfield shop open today]
      zh: [你们春田的门店几点开门, 春田店今天营业吗]
    slots:
      - name: city
        type: choice
        choices: {springfield: [Springfield, 春田], riverside: [Riverside, 河畔]}
        ask: {en: Which city?, zh: 请问是哪个城市的门店？}
    templates:
      - when: {city: springfield}
        text: {en: Our Springfield store is open from 10 to 8., zh: 春田店营业时间为 10:00–20:00。}
      - text: {en: Our Riverside store is open from 10 to 6., zh: 河畔店营业时间为 10:00–18:00。}
"""


def init(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    *,
    demo: Annotated[
        bool,
        typer.Option("--demo", help="The demo company's settings and knowledge files instead of samples."),
    ] = False,
) -> None:
    """Make a new project: settings, and sample knowledge to start from."""
    written = write_project(folder, demo=demo)
    for path in written:
        talk.print(f"wrote {path}")
    if demo:
        from chatbot.settings import load_settings
        from ui.commands.site import add_demo_site

        add_demo_site(load_settings(folder))
    where = folder if str(folder) != "." else "this folder"
    steps = "import faq faq_zh.csv faq_en.csv" if demo else "import faq faq.csv"
    talk.print(
        f"Next, in {where}: 'kefu {steps}', 'kefu import intents intents.yaml', then 'kefu chat' or 'kefu serve'."
    )


def write_project(folder: Path, *, demo: bool) -> list[Path]:
    """Write the files of a new project, or none.

    Raises:
        SettingsError: There is a kefu.toml already.
    """
    if (folder / "kefu.toml").exists():
        msg = f"{folder} holds a kefu.toml already. Choose another folder, or edit that file."
        raise SettingsError(msg)
    folder.mkdir(parents=True, exist_ok=True)
    name = folder.resolve().name.replace("_", " ").replace("-", " ").title() or "My Shop"
    samples = {"kefu.toml": TOML.replace("{name}", name), "faq.csv": "\ufeff" + FAQ, "intents.yaml": INTENTS}
    texts = {name: text.encode() for name, text in samples.items()} if not demo else _demo_files()
    texts = _below(files("knowledge") / "data" / "models", "models") | texts
    written = []
    for relative, content in texts.items():
        path = folder / relative
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        written.append(path)
    return written


def _demo_files() -> dict[str, bytes]:
    demo = files("knowledge") / "data" / "demo"
    names = ["kefu.toml", "faq_zh.csv", "faq_en.csv", "intents.yaml", "chats.jsonl"]
    texts = {name: (demo / name).read_bytes() for name in names}
    return texts | _below(demo / "docs", "docs") | _below(demo / "models", "models")


def _below(folder: Traversable, name: str) -> dict[str, bytes]:
    """The files of a folder and of those in it, by their path from the project folder; none where it is not there."""
    found: dict[str, bytes] = {}
    if not folder.is_dir():
        return found
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        path = f"{name}/{entry.name}"
        found |= _below(entry, path) if entry.is_dir() else {path: entry.read_bytes()}
    return found
