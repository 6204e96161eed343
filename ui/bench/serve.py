"""Speed of the server: stored answers with one and with 16 visitors, composed answers, memory, start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from ui.bench.client import BenchError, Visitor, crowd
from ui.bench.knowledge import large_faq, queries
from ui.bench.machine import describe_machine
from ui.terminal import Report

HOST = "127.0.0.1"
ONE_VISITOR, CROWD = 300, 16
DOCUMENT_QUESTIONS = (
    "How do I reset the Hush One to factory settings?",
    "Can the audio cable be used on a plane with the Hush One?",
    "What happens to my data after I delete my account?",
    "How many bright pixels must a laptop have to be replaced?",
    "Who pays for collection when a repair was refused?",
    "Hush One 怎么恢复出厂设置？",
    "维修超过 14 天有什么补偿？",
    "录像保存在哪里，多久删除？",
    "国际订单报关需要哪些材料？",
    "会员多久评定一次等级？",
)


def bench_serve(folder: Path, *, faqs: int, turns: int, progress: Report) -> dict[str, Any]:
    """Measure a real server with `faqs` entries in `folder` (kept, so that the next run is quick).

    The turns are stored answers, as a project has them that was calibrated and changed nothing else. Composed answers are
    measured on a second server, on which the model writes whenever a passage is long. Beside the times stands the
    processor time that the server took for each turn: it tells more than they do about a machine that has other work too.

    Raises:
        BenchError: The server did not start, refused, or broke off.
    """
    machine = describe_machine()
    env = prepare(folder, faqs=faqs, progress=progress)
    with server(env, port := _free_port()) as (process, ready_s):
        asked = list(queries(ONE_VISITOR + turns + CROWD))
        run, watched = f"bench{int(time.time())}", psutil.Process(process.pid)
        crowd(HOST, port, asked[-CROWD:], visitors=CROWD, run=f"{run}-warm")
        spent = [_cpu_s(watched)]
        alone, decisions = _one_visitor(port, asked[:ONE_VISITOR], run=run, progress=progress)
        spent.append(_cpu_s(watched))
        progress(f"{CROWD} visitors", 0.0)
        many, wall = crowd(HOST, port, asked[ONE_VISITOR:-CROWD], visitors=CROWD, run=run)
        progress(f"{CROWD} visitors", 1.0)
        spent.append(_cpu_s(watched))
    composing = {**env, "KEFU__GENERATION__COMPOSE_WHEN": "always"}
    with server(composing, port := _free_port()) as (process, _):
        first = _first_words(port, run=run, progress=progress)
        memory = psutil.Process(process.pid).memory_info().rss
    return {
        "faqs": faqs,
        "p50_ms": _ms(np.quantile(alone, 0.5)),
        "p99_ms": _ms(np.quantile(alone, 0.99)),
        "cpu_ms_per_turn": _ms((spent[1] - spent[0]) / len(alone)),
        "decisions": dict(decisions),
        "turns_per_second": round(len(many) / wall, 1),
        "turns_p99_ms": _ms(np.quantile(many, 0.99)),
        "turns_cpu_ms_per_turn": _ms((spent[2] - spent[1]) / len(many)),
        "first_words_ms_p50": _ms(np.quantile(first, 0.5)),
        **model_speed(),
        "memory_mb": round(memory / 2**20),
        "ready_seconds": round(ready_s, 1),
        "machine": {**machine, "load_after": round(os.getloadavg()[0], 2)},
    }


def _one_visitor(
    port: int, asked: Sequence[str], *, run: str, progress: Report
) -> tuple[list[float], Counter[str]]:
    """Seconds of each turn, and how often each decision was taken."""
    seconds, decisions = [], Counter[str]()
    progress("One visitor", 0.0)
    with Visitor(HOST, port) as visitor:
        for turn, text in enumerate(asked):
            took, decision = visitor.ask(f"{run}-alone-{turn // 10:04d}", text, key=f"{run}-{turn}")
            seconds.append(took)
            decisions[decision] += 1
    progress("One visitor", 1.0)
    return seconds, decisions


def _first_words(port: int, *, run: str, progress: Report) -> list[float]:
    """Seconds until the first words of each answer from the documents."""
    seconds = []
    with Visitor(HOST, port) as visitor:
        for number, text in enumerate(DOCUMENT_QUESTIONS):
            progress("Composed answers", number / len(DOCUMENT_QUESTIONS))
            seconds.append(visitor.first_words(f"{run}-document-{number}", text, key=f"{run}-d{number}"))
    progress("Composed answers", 1.0)
    return seconds


def prepare(folder: Path, *, faqs: int, progress: Report) -> Mapping[str, str]:
    """A project with many FAQs and the demo's documents, calibrated; the environment to run it in."""
    from chatbot.assemble import build_index, index_folder, open_knowledge
    from chatbot.calibrations import calibration_path
    from chatbot.fitting import calibrate_project
    from chatbot.settings import load_settings
    from knowledge.import_docs import plan_import_docs
    from knowledge.imports import apply
    from ui.commands.init import write_project

    if not (folder / "kefu.toml").exists():
        write_project(folder, demo=False)
    settings = load_settings(folder)
    store = open_knowledge(settings)
    if store.counts()["faqs"] < faqs:
        progress("Importing", 0.0)
        store.upsert_faqs(large_faq(faqs))
        documents = files("knowledge") / "data" / "demo" / "docs"
        apply(store, plan_import_docs(store, sorted(Path(str(documents)).iterdir())))
        progress("Importing", 1.0)
    if not (index_folder(settings) / "CURRENT").exists():
        build_index(settings, progress=progress)
    if not calibration_path(settings).exists():
        promised = settings.decision
        calibrate_project(
            settings, risk=promised.risk, confidence=promised.confidence, seed=0, progress=progress
        )
    return {
        **os.environ,
        "KEFU_PROJECT": str(folder),
        "KEFU__SECURITY__MESSAGES_PER_MINUTE": "0",
        "KEFU__SECURITY__REQUESTS_PER_MINUTE": "0",
    }


@contextmanager
def server(env: Mapping[str, str], port: int) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """A server process, and how long it took to be ready."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "ui.cli", "serve", "--port", str(port), "--no-calibrate"]
    process = subprocess.Popen(command, env=dict(env), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own program
    try:
        while not _is_ready(port):
            if process.poll() is not None or time.perf_counter() - start > 300:
                msg = "The server did not start. Run 'kefu doctor', then 'kefu serve' to see why."
                raise BenchError(msg)
            time.sleep(0.05)
        yield process, time.perf_counter() - start
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def model_speed(tokens: int = 96) -> dict[str, float]:
    """The dialogue model alone: time to the first token, and tokens a second after it."""
    from chatbot.dialogues import open_chat_model
    from chatbot.settings import Settings

    model = open_chat_model(Settings())
    if model is None:
        return {}
    prompt = "Customer: How do I return a phone?\nAgent:"
    for _ in model.stream(prompt, max_tokens=8):
        pass
    start, first, count = time.perf_counter(), 0.0, 0
    for _ in model.stream(prompt, max_tokens=tokens):
        first = first or time.perf_counter() - start
        count += 1
    seconds = time.perf_counter() - start - first
    return {"first_token_ms": _ms(first), "tokens_per_second": round((count - 1) / max(seconds, 1e-9), 1)}


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _ms(seconds: float) -> float:
    return round(float(seconds) * 1000, 1)
