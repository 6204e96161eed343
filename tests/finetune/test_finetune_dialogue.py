"""The dialogue model learns to choose and to quote; what it learned reaches llama.cpp."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_gemma import write_tiny_gemma

from chatbot.answer.candidates import Candidates
from chatbot.answer.guard import check
from chatbot.answer.models.gguf import read_header
from chatbot.answer.sentences import split as sentences
from chatbot.registry import Registry, prompt_of
from fakes import FakeEncoder
from finetune.conversations import SHIPPED, Examiner, World, read_worlds
from finetune.datasets import material
from finetune.decoder import WEIGHTS, LearningDecoder, Rows, rows
from finetune.dialogue import Asking, DataTable, DialoguePace, DialogueRun, ModelTable, split, train_dialogue
from finetune.gguf_adapter import write_gguf_adapter
from finetune.run import KeptCheckpoints, Making, read_run
from finetune.unpack import trainable
from knowledge.errors import KnowledgeError, ModelError

SMALL = Path(__file__).parent / "data" / "companies"
RUN = DialogueRun(
    model=ModelTable(first_layer=1, rank=4),
    data=DataTable(held_out=("small-en", "small-zh")),
    train=DialoguePace(epochs=2, batch_size=4, learning_rate=2e-2),
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gemma(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    return read_worlds(SMALL)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Two threads only wait for each other over networks of this size."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def silent(what: str, done: float) -> None: ...


def test_every_answer_that_is_learned_stands_in_its_passages() -> None:
    for world in read_worlds(SHIPPED)[::5]:
        for example in world.examples:
            sources = [world.passages[name] for name in example.sources]
            for sentence in sentences(example.answer or ""):
                assert check(sentence, sources) == [], (world.name, example.ask)


def test_each_message_is_asked_once_with_the_sentences_that_answer(worlds: list[World]) -> None:
    examiner = Examiner(FakeEncoder(), most=5, absent=0.0)
    for world in worlds:
        drawn = list(examiner.exams(world, seed=1))

        assert [exam.example for exam in drawn] == list(world.examples)
        for exam in drawn:
            assert exam.answer in (None, exam.example.answer)
            assert len(exam.sentences) <= 5
            shown = {one.id for one in exam.sentences}
            assert exam.answer is None or shown & set(exam.example.sources)
        assert any(exam.answer for exam in drawn)


def test_messages_that_are_shown_other_sentences_have_no_answer(worlds: list[World]) -> None:
    drawn = [exam for world in worlds for exam in Examiner(FakeEncoder(), absent=0.9).exams(world, seed=1)]

    absent = [exam for exam in drawn if exam.example.answer and exam.answer is None]
    assert len(absent) > len(drawn) / 3


def test_in_service_the_likeliest_sentences_are_shown(worlds: list[World]) -> None:
    examiner = Examiner(FakeEncoder(), most=2)
    for exam in examiner.exams(worlds[0]):
        every = Candidates(list(worlds[0].passages.values()), FakeEncoder())
        assert list(exam.sentences) == every.nearest(exam.example.ask, exam.example.chat)[:2]


def test_companies_are_held_out_whole(worlds: list[World]) -> None:
    learned_from, held_out = split(worlds, ())

    assert held_out
    assert not {world.name for world in learned_from} & {world.name for world in held_out}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("answer: null", "answer: Something."), "an answer needs 'from'"),
        (("locale: en", "locale: en\ncolour: red"), "colour"),
        (("from: [a]", "from: [c]"), "names the passage 'c'"),
        (("company:", "company: ["), "cannot be read"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(
    tmp_path: Path, change: tuple[str, str], problem: str
) -> None:
    text = (
        "company: X\nlocale: en\npassages:\n  - {id: a, title: A, text: A is free.}\nexamples:\n"
        "  - {ask: is a free, from: [a], answer: A is free.}\n  - {ask: is b free, from: [], near: [a], answer: null}\n"
    )
    (tmp_path / "x.yaml").write_text(text.replace(*change), "utf-8")
    if problem == "names the passage 'c'":
        (tmp_path / "x.yaml").write_text(text.replace("from: [a]", "from: [c]"), "utf-8")

    with pytest.raises(KnowledgeError, match=r"x\.yaml") as error:
        read_worlds(tmp_path)
    assert problem in str(error.value)


def test_a_folder_without_conversations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="no conversations"):
        read_worlds(tmp_path)


def test_reading_messages_together_costs_what_reading_them_one_by_one_does(base: Path) -> None:
    decoder = LearningDecoder(base, first=1, rank=4).eval()
    asked = [
        (decoder.tokens(f"Parcels take 3 days. {ask}", begin=True), decoder.tokens(answer), [1.0] * len(decoder.tokens(answer)))
        for ask, answer in (("how long? ", "3 days"), ("to Mars? ", "no"), ("几天？", "3 days"))
    ]  # fmt: skip

    together = decoder.loss(rows(asked)).item()
    alone = sum(decoder.loss(rows([one])).item() for one in asked)

    assert together == pytest.approx(alone, rel=1e-2)  # bfloat16 where the processor is fast at it


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(str(folder / WEIGHTS))
    return found


Trainer = Callable[..., dict[str, Any]]


@pytest.fixture
def train(base: Path, worlds: list[World], tmp_path: Path) -> Trainer:
    def run(name: str, run: DialogueRun = RUN) -> dict[str, Any]:
        metrics = train_dialogue(
            worlds,
            run,
            base=(base, "gemma3"),
            encoder=FakeEncoder(),
            making=Making(Registry(tmp_path), name, tmp_path / "runs", silent),
        )
        return dict(metrics)

    return run


def test_the_loss_falls_and_the_model_stands_among_the_others(train: Trainer, tmp_path: Path) -> None:
    metrics = train("one", RUN.model_copy(update={"train": RUN.train.model_copy(update={"epochs": 4})}))

    losses = [epoch["loss"] for epoch in metrics["epochs"]]
    assert losses[-1] < losses[0]
    model = Registry(tmp_path).model("dialogue", "one")
    assert model.metrics["examples"] == {"learn": 36, "held_out": 18}
    assert str(Path(__file__).parents[2]) not in (model.folder / "metrics.json").read_text("utf-8")
    header = read_header(model.folder / "adapter.gguf")
    assert (header.kind, header.adapter_type, header.architecture) == ("adapter", "lora", "gemma3")
    assert prompt_of(model.folder) == "grounded-2"
    assert "that it had not seen" in (model.folder / "README.md").read_text("utf-8")


def test_a_run_that_was_killed_ends_as_an_unbroken_one(
    train: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train("unbroken")
    saved = KeptCheckpoints.save

    def save_and_die(self: KeptCheckpoints, *kept: Any) -> None:
        saved(self, *kept)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(KeptCheckpoints, "save", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            train("killed")
    assert not (tmp_path / "dialogue" / "killed").exists()
    train("killed")

    one, other = (_weights(tmp_path / "dialogue" / name) for name in ("unbroken", "killed"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_parts_of_an_epoch_read_everything_once(base: Path, worlds: list[World]) -> None:
    def read(parts: int, epochs: tuple[int, ...]) -> list[list[int]]:
        run = RUN.model_copy(update={"train": RUN.train.model_copy(update={"parts": parts})})
        asking = Asking(LearningDecoder(base, first=1, rank=4), run, FakeEncoder())
        return sorted(one.ids.tolist() for epoch in epochs for one in asking.batches(worlds, epoch))

    assert read(1, (1,)) == read(3, (3, 4, 5))


def test_an_adapter_is_saved_and_loaded_whole(base: Path, worlds: list[World], tmp_path: Path) -> None:
    decoder = LearningDecoder(base, first=1, rank=4)
    asking = Asking(decoder, RUN, FakeEncoder())
    with torch.no_grad():
        for weight in decoder.learned().values():
            weight.add_(0.05)
    decoder.save(tmp_path)

    again = LearningDecoder(base, first=1, rank=4)
    again.load(tmp_path)
    one: Rows = next(asking.batches(worlds, 0))
    assert again.loss(one).item() == pytest.approx(decoder.loss(one).item(), rel=1e-5)


def test_datasets_of_logs_are_read_beside_some_of_the_shipped_companies(tmp_path: Path) -> None:
    row = {
        "id": "faq:1",
        "locale": "en",
        "split": "train",
        "task": "compose",
        "passages": [
            {"id": "a", "title": "A", "text": "A is free."},
            {"id": "b", "title": "B", "text": "B costs 2."},
        ],
        "messages": [
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": "is  a free"},
            {"role": "assistant", "content": "A is free."},
            {"role": "user", "content": "and b?"},
        ],
        "answer": "B costs 2.",
        "cites": ["b"],
        "standalone": "Is B free?",
    }
    rewrite = row | {"id": "r", "task": "rewrite", "passages": [], "answer": None, "cites": []}
    unknown = row | {"id": "u", "answer": None, "cites": []}
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(one) + "\n" for one in (row, rewrite)), "utf-8")
    (tmp_path / "valid.jsonl").write_text(json.dumps(unknown) + "\n", "utf-8")

    worlds = material(tmp_path, replay=0.25)
    learned_from, held_out = split(worlds, ("en-a-05",))

    first, second = worlds[:2]
    (example,) = first.examples
    assert example.chat == ("is a free", "A is free.")
    assert (example.sources, example.near, example.means) == (("b",), ("a",), "Is B free?")
    (exam,) = Examiner(FakeEncoder(), absent=0.0).exams(first, seed=1)
    assert exam.answer == "B costs 2."
    assert (second.examples, len(second.follow_ups)) == ((), 1)
    assert [world.name for world in held_out] == ["u", "en-a-05"]
    assert 15 < len(learned_from) < 25
    assert len(material(None, replay=0.25)) == 76


@pytest.mark.parametrize("text", ["no json", '{"locale": "en"}', '{"locale": "en", "messages": []}'])
def test_a_wrong_line_of_a_dataset_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "train.jsonl").write_text(text, "utf-8")

    with pytest.raises(KnowledgeError, match=r"train\.jsonl, line 1"):
        material(tmp_path, replay=0.0)


def test_a_run_that_goes_on_says_what_was_forgotten(
    train: Trainer, base: Path, worlds: list[World], tmp_path: Path
) -> None:
    train("first")
    registry = Registry(tmp_path)

    metrics = train_dialogue(
        worlds,
        RUN,
        base=(base, "gemma3"),
        encoder=FakeEncoder(),
        making=Making(registry, "second", tmp_path / "runs", silent),
        start=registry.model("dialogue", "first").folder,
        earlier=worlds[-1:],
    )

    assert metrics["start"] == "first"
    assert metrics["chosen_before"] == registry.model("dialogue", "first").metrics["chosen"]
    assert "Not forgotten" in (tmp_path / "dialogue" / "second" / "README.md").read_text("utf-8")
    assert 0 <= metrics["earlier"] <= 1


def test_weights_that_llama_cpp_would_order_otherwise_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="convert_lora_to_gguf"):
        write_gguf_adapter(tmp_path, architecture="llama", name="x")


def test_a_model_on_a_server_cannot_be_trained_here(tmp_path: Path) -> None:
    from chatbot.settings import OpenAICompatibleModel

    remote = OpenAICompatibleModel(kind="openai_compatible", base_url="http://127.0.0.1:1/v1", model="m")
    with pytest.raises(ModelError, match="cannot be trained here"):
        trainable(remote, cache=tmp_path, progress=silent)


def test_the_sample_runs_are_valid() -> None:
    runs = Path(__file__).parents[2] / "finetune" / "runs"
    for name in ("dialogue.toml", "smoke-dialogue.toml"):
        assert read_run(runs / name, DialogueRun, sample=name).data.held_out
