"""The retriever learns which wordings belong together, is judged by held-out ones, and survives a kill."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from tiny_bert import write_tiny_bert
from tiny_texts import TWELVE as THINGS

from chatbot.chats import Chat
from chatbot.registry import Registry, asked_of, remembered_by, unseen_by
from finetune.encoder import LearningEncoder
from finetune.learning import Learned
from finetune.retriever import Plan, RetrieverRun, train, train_retriever
from finetune.run import Making, read_run
from finetune.wordings import Wordings, gather
from knowledge.encode import open_folder
from knowledge.errors import KnowledgeError, ModelError, SettingsError
from knowledge.types import Entry, Passage

FRAMES = [
    "where is my {}",
    "track the {}",
    "has the {} been sent",
    "when will the {} come",
    "{} not here yet",
]
PLAN = Plan(epochs=3, learning_rate=5e-3, batch_size=12, seed=1)


def the_entries(locale: str = "en") -> list[Entry]:
    return [
        Entry(
            Passage(f"faq:{thing}", f"The {thing} is on its way.", f"where is my {thing}", "faq", locale),
            tuple(frame.format(thing) for frame in FRAMES),
        )
        for thing in THINGS
    ]


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # the network is tiny: two threads would only wait for each other
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = [word for entry in the_entries() for text in entry.questions for word in text.split()]
    return write_tiny_bert(tmp_path_factory.mktemp("tiny"), words)


class Memory:
    """Checkpoints in memory; stops the run after a number of them, as a kill would."""

    def __init__(self, stop_after: int = 99) -> None:
        self.kept: tuple[dict[str, torch.Tensor], list[dict[str, object]]] | None = None
        self.left = stop_after

    def last(self) -> tuple[dict[str, torch.Tensor], list[dict[str, object]]] | None:
        return self.kept

    def save(self, tensors: dict[str, torch.Tensor], epochs: list[dict[str, object]]) -> None:
        self.kept = ({name: tensor.clone() for name, tensor in tensors.items()}, list(epochs))
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def silent(what: str, done: float) -> None: ...


def run(
    base: Path, wordings: Wordings, checkpoints: Memory, plan: Plan = PLAN
) -> tuple[Learned, list[torch.Tensor]]:
    torch.manual_seed(5)
    encoder = LearningEncoder(base, ("", ""), first=1, rank=8, longest=32)
    learned = train(encoder, wordings, plan, checkpoints=checkpoints, progress=silent)
    return learned, encoder.learned()


def test_the_loss_falls_and_more_held_out_wordings_are_found(base: Path) -> None:
    long = PLAN.model_copy(update={"epochs": 25, "patience": 25, "learning_rate": 1e-2})

    trained, _ = run(base, gather(the_entries()), Memory(), long)

    losses = [epoch.loss for epoch in trained.epochs]
    assert losses[-1] < losses[0]
    assert trained.after > trained.before


def test_a_killed_run_ends_with_the_weights_of_an_unbroken_one(base: Path) -> None:
    wordings = gather(the_entries())
    whole, weights = run(base, wordings, Memory())
    killed = Memory(stop_after=1)
    with pytest.raises(KeyboardInterrupt):
        run(base, wordings, killed)

    resumed, again = run(base, wordings, killed)

    assert resumed.epochs == whole.epochs
    for one, two in zip(again, weights, strict=True):
        assert torch.equal(one, two)


def test_learning_stops_when_nothing_more_is_found(base: Path) -> None:
    idle = PLAN.model_copy(update={"epochs": 9, "patience": 2, "learning_rate": 1e-9})

    trained, _ = run(base, gather(the_entries()), Memory(), idle)

    assert len(trained.epochs) == 2
    assert trained.after == trained.before


def test_held_out_wordings_are_never_learned_from() -> None:
    wordings = gather(the_entries())

    learned = {text.text for text in wordings.learn}
    assert len(wordings.held_out) == len(THINGS)
    assert not learned & {text.text for text in wordings.held_out}


def test_a_question_without_other_wordings_learns_from_its_answer() -> None:
    bare = [replace(entry, questions=entry.questions[:1]) for entry in the_entries()]

    wordings = gather(bare)

    assert sum(text.stored for text in wordings.learn) == len(THINGS)
    assert len(wordings.held_out) == 1


def test_documents_are_no_wordings() -> None:
    entries = the_entries()
    paper = [replace(entry, passage=replace(entry.passage, source="document")) for entry in entries]

    assert gather([*entries, *paper]) == gather(entries)


def test_too_little_knowledge_says_so() -> None:
    with pytest.raises(KnowledgeError, match="only 3 questions"):
        gather(the_entries()[:3])


def test_what_comes_out_is_a_model_that_the_encoder_takes(base: Path, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")

    metrics = train_retriever(
        gather(the_entries()),
        RetrieverRun(train=Plan(epochs=1, batch_size=12)),
        base=(base, ("", "")),
        making=Making(registry, "first", tmp_path / "work", silent),
    )

    model = registry.model("retriever", "first")
    assert model.metrics == metrics
    assert metrics["groups"] == len(THINGS)
    assert "held-out" in (model.folder / "README.md").read_text()
    assert open_folder(str(base), adapter=model.folder).encode_queries(["where is my lamp"]).shape == (1, 32)
    assert list((tmp_path / "work").iterdir()) == []
    with safe_open(str(model.folder / "adapter_model.safetensors"), "pt") as file:
        assert all("lora_" in name for name in file.keys())  # noqa: SIM118 - no mapping


def test_a_wrong_setting_names_its_file_and_place(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("[train]\nepoch = 3\n")

    with pytest.raises(SettingsError, match=r"run.toml is wrong: train.epoch"):
        read_run(path, RetrieverRun, sample="retriever.toml")


def test_the_sample_run_has_the_defaults() -> None:
    import finetune

    sample = Path(finetune.__file__).parent / "runs" / "retriever.toml"

    assert read_run(sample, RetrieverRun, sample="retriever.toml") == RetrieverRun()


def test_another_kind_of_encoder_cannot_be_trained(base: Path, tmp_path: Path) -> None:
    for path in base.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "model_type": "deberta"}))

    with pytest.raises(ModelError, match="cannot be trained"):
        LearningEncoder(tmp_path, ("", ""), first=1, rank=4, longest=32)


def the_chats() -> list[Chat]:
    said = [(f"where is my {thing}", f"faq:{thing}") for thing in THINGS]
    return [
        Chat.model_validate(
            {
                "locale": "en",
                "messages": [
                    {"text": first, "answers": [answer]},
                    {"text": "ok", "answers": None},
                    {"text": "has it been sent", "answers": [answer]},
                    {"text": "can it sing", "answers": []},
                ],
            }
        )
        for first, answer in said
    ]


def test_what_was_asked_in_chats_belongs_to_what_answered_and_is_read_after_what_was_said() -> None:
    wordings = gather(the_entries(), chats=the_chats())

    asked = [text for text in (*wordings.learn, *wordings.held_out) if text.asked]
    assert len(asked) == 2 * len(THINGS)
    assert len(wordings.chats) == round(0.2 * len(THINGS))
    assert len([text for text in wordings.held_out if text.asked]) == 2 * len(wordings.chats)
    lamp = next(text for text in asked if text.text.startswith("has it been sent < where is my lamp"))
    assert wordings.locales[lamp.group] == "en"
    assert lamp.group == THINGS.index("lamp")


def test_a_retriever_that_learned_chats_keeps_those_that_it_was_judged_by(base: Path, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    wordings = gather(the_entries(), chats=the_chats())

    train_retriever(
        wordings,
        RetrieverRun(train=Plan(epochs=1, batch_size=12)),
        base=(base, ("", "")),
        making=Making(registry, "chats", tmp_path / "work", silent),
    )

    folder = registry.model("retriever", "chats").folder
    asked = asked_of(folder, the_entries(), ())
    assert sum(one.answers is not None for one in asked) == 3 * len(wordings.chats)
    assert asked_of(tmp_path, the_entries(), ()) == []
    remembered = remembered_by(folder, the_entries(), ())
    assert [one.answers is None for one in remembered].count(False) == 3 * (len(THINGS) - len(wordings.chats))
    assert unseen_by(folder) == {text.text for text in wordings.held_out if not text.asked}


def test_answers_to_the_very_same_question_are_one_group() -> None:
    first, *others = the_entries()
    twin = replace(first, passage=replace(first.passage, id="faq:twin", text="Ask the courier."), questions=(first.questions[0].upper(),))  # fmt: skip
    asked = Chat.model_validate({"locale": "en", "messages": [{"text": "hm?", "answers": ["faq:twin"]}]})

    alone, wordings = gather([first, *others]), gather([first, twin, *others], chats=[asked], hold_out=False)

    group = {text.group for text in wordings.learn if text.text in first.questions}
    assert wordings.groups == alone.groups
    assert {text.group for text in wordings.learn if text.asked} == group
    assert len(group) == 1


def test_of_many_chats_no_more_than_a_thousand_are_held_out() -> None:
    chat = {"locale": "en", "messages": [{"text": "hm?", "answers": []}]}
    chats = [Chat.model_validate(chat)] * 6000

    assert len(gather(the_entries(), chats=chats).chats) == 1000
    assert len(gather(the_entries(), chats=chats[:1000]).chats) == 200
