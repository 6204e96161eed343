"""A retriever is trained on the company's FAQ, promoted and rolled back while the bot answers."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from click.testing import Result
from typer.testing import CliRunner

from chatbot.assemble import Service, open_retriever, open_service
from chatbot.settings import load_settings
from knowledge.types import Hit
from ui.cli import app

DEMO = Path(__file__).resolve().parents[2] / "knowledge" / "data" / "demo"
QUICK = "[model]\nfirst_layer = 10\nrank = 4\nlongest = 32\n\n[train]\nepochs = 1\nlearning_rate = 1e-3\n"
CHATS = [
    {
        "locale": "en",
        "messages": [{"text": f"{opening} thing {number}", "answers": [f"faq:ord-0{number}-en"]}],
    }
    for number in range(1, 6)
    for opening in ("tell me about", "and what of")
]
LATER = {"locale": "en", "messages": [{"text": "the moon stone", "answers": ["faq:ord-02-en"]}]}

pytestmark = pytest.mark.models


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models_cache: Path) -> Iterator[Path]:
    """Twelve questions of the demo company, imported; no dialogue model."""
    assert models_cache
    with (DEMO / "faq_en.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))[:12]
    with (tmp_path / "faq.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (tmp_path / "kefu.toml").write_text('[generation.model]\nkind = "none"\n')
    (tmp_path / "run.toml").write_text(QUICK)
    monkeypatch.setenv("KEFU_PROJECT", str(tmp_path))
    assert kefu("import", "faq", str(tmp_path / "faq.csv")).exit_code == 0
    before = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(before)


def kefu(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def trained(project: Path) -> dict[str, object]:
    done = kefu("train", "retriever", "--config", str(project / "run.toml"), "--name", "first", "--json")
    assert done.exit_code == 0, done.output
    metrics: dict[str, object] = json.loads(done.stdout)
    return metrics


def wait_for(what: Callable[[], bool], *, seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.1)
    return False


def encoder_of(service: Service) -> str:
    return service.live.current().versions["encoder"]


def asked(service: Service) -> Hit:
    return service.live.current().retriever.search("how do I buy something here", 1, locale="en")[0]


def test_a_running_bot_takes_a_promoted_retriever_and_gives_it_back(project: Path) -> None:
    metrics = trained(project)
    assert metrics["groups"] == 12
    service = open_service(load_settings())
    try:
        first, hit = encoder_of(service), asked(service)

        assert kefu("models", "promote", "retriever", "first", "--force").exit_code == 0
        assert wait_for(lambda: encoder_of(service) != first)
        assert asked(service).passage.id

        assert kefu("models", "rollback", "retriever").exit_code == 0
        assert wait_for(lambda: encoder_of(service) == first)
        assert asked(service) == hit
    finally:
        service.close()
    assert service.ready()["stages"] == "ok"


def test_the_models_tell_what_they_are(project: Path) -> None:
    trained(project)

    listed = kefu("models", "list", "--json")
    shown = kefu("models", "show", "retriever", "first")
    same = kefu("models", "diff", "retriever", "first", "first", "--json")

    assert "first" in [model.get("name") for model in json.loads(listed.stdout)]
    assert "held-out wordings" in shown.stdout
    assert json.loads(same.stdout) == {}


def test_a_model_that_finds_less_is_refused(project: Path) -> None:
    trained(project)
    metrics = project / "models" / "retriever" / "first" / "metrics.json"
    worse = json.loads(metrics.read_text()) | {"p_at_1": 0.1, "p_at_1_before": 0.9}
    manifest = metrics.with_name("manifest.json")
    metrics.write_text(json.dumps(worse))
    sealed = json.loads(manifest.read_text())
    from knowledge.packaged.manifest import sha256_of

    sealed["files"]["metrics.json"] = {"size": metrics.stat().st_size, "sha256": sha256_of(metrics)}
    manifest.write_text(json.dumps(sealed))

    refused = kefu("models", "promote", "retriever", "first")

    assert refused.exit_code == 1
    assert "10.0%" in str(refused.exception)
    assert not (project / "models" / "promoted.json").exists()


def test_chats_that_came_later_are_remembered_without_training(project: Path) -> None:
    (project / "chats.jsonl").write_text("\n".join(map(json.dumps, CHATS)) + "\n")
    (project / "later.jsonl").write_text(json.dumps(LATER) + "\n")
    chats = ("--chats", str(project / "chats.jsonl"))
    done = kefu("train", "retriever", "--config", str(project / "run.toml"), "--name", "first", *chats)
    assert done.exit_code == 0, done.output

    more = kefu("models", "remember", "first", "--chats", str(project / "later.jsonl"), "--name", "second")
    again = kefu("models", "remember", "second", "--chats", str(project / "later.jsonl"), "--name", "third")

    assert more.exit_code == 0, more.output
    assert "second remembers 1 more chats." in more.output
    assert again.exit_code == 1
    assert "knows all of these chats" in str(again.exception)
    assert kefu("models", "promote", "retriever", "second", "--force").exit_code == 0
    found = open_retriever(load_settings(project)).search("the moon stone")
    assert found[0].passage.id == "faq:ord-02-en"
