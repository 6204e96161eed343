"""A reranker learns to read question and answer together, says what it learned without torch, and can be put in force."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tiny_bert import write_tiny_bert
from tiny_texts import TWELVE as THINGS
from typer.testing import CliRunner

from chatbot.calibrations import calibration_path
from chatbot.chats import Asked
from chatbot.registry import Registry
from chatbot.settings import load_settings
from chatbot.trained import reranked, with_reranker
from finetune.candidates import Question, Questions, look_up
from finetune.reranker import RerankerPace, RerankerRun, RerankerTable, train_reranker
from finetune.run import Making
from knowledge.errors import KnowledgeError, ModelError
from knowledge.rerank import RerankedRetriever
from knowledge.types import Entry, Hit, Matrix, Passage
from ui.cli import app

FRAMES = ["where is {}", "please {}", "send {}", "my {}", "about {}"]
PREFIXES = ("ask", "tell")
Base = tuple[Path, tuple[str, str]]


def silent(what: str, done: float) -> None: ...


def passage(thing: str, *, locale: str = "en", source: str = "faq") -> Passage:
    return Passage(f"faq:{thing}-{locale}", f"{thing} goes out", thing, source, locale)  # type: ignore[arg-type]


def named(thing: str) -> str:
    """What customers call it: no word of the answer."""
    return thing[::-1]


class Words:
    """A vector is what words a text has; implements Encoder."""

    fingerprint, dimension = "words", 64

    def encode_queries(self, texts: Sequence[str]) -> Matrix:
        rows = np.full((len(texts), self.dimension), 0.01, np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.split():
                row[sum(map(ord, word)) % self.dimension] += 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    encode_passages = encode_queries


# What it learns from.


def entries() -> list[Entry]:
    stored = [Entry(passage(thing), (thing, f"{thing} please", f"the {thing}")) for thing in THINGS]
    return [*stored, Entry(passage("lamp", locale="zh"), ("lamp",))]


def looked_up(*, unseen: frozenset[str] | None = frozenset(), chats_held_out: bool = True) -> Questions:
    chats = [
        Asked(f"ship {THINGS[0]}", "", "en", (f"faq:{THINGS[0]}-en",)),
        Asked("is it raining", "", "en", ()),
        Asked("it", THINGS[1], "en", (f"faq:{THINGS[1]}-en",)),
    ]
    fresh = [Asked(f"{thing} {THINGS[-1]}", "", "en", (f"faq:{thing}-en",)) for thing in THINGS[:4]]
    return look_up(entries(), chats, fresh, Words(), candidates=3, unseen=unseen, seed=0, progress=silent)


def test_no_question_finds_itself() -> None:
    alone = next(one for one in looked_up().learn if one.text == f"the {THINGS[2]}")
    twice = look_up(
        [*entries(), Entry(passage("same"), (f"the {THINGS[2]}",))],
        (),
        (),
        Words(),
        candidates=3,
        unseen=frozenset(),
        seed=0,
        progress=silent,
    )
    both = [one for one in twice.learn if one.text == f"the {THINGS[2]}"]

    assert alone.near[0] < 1, "it would be 1 with itself"
    assert max(one.near[0] for one in both) == pytest.approx(1, abs=0.05), "another's the same counts"


def test_messages_are_read_in_their_conversation_and_may_have_no_answer() -> None:
    found = looked_up()

    by_text = {one.text: one for one in found.learn}
    assert by_text[f"it < {THINGS[1]}"].right == {1}
    assert by_text["is it raining"].right == frozenset()
    assert found.passages[1].title == THINGS[1]


def test_only_answers_of_its_language_are_found() -> None:
    found = looked_up()
    chinese = [place for place, one in enumerate(found.passages) if one.locale == "zh"]

    for one in found.learn:
        if one.near[0] > 0:
            seen = [place for place, near in zip(one.found, one.near, strict=True) if near > 0]
            assert not set(seen) & set(chinese) or one.right <= set(chinese)


def test_what_the_retriever_held_out_judges_and_teaches_nothing() -> None:
    held_out = frozenset({f"the {THINGS[5]}", f"the {THINGS[6]}"})
    found = looked_up(unseen=held_out)

    judged = {one.text for one in (*found.valid, *found.test)}
    assert held_out < judged
    assert not held_out & {one.text for one in found.learn}
    assert len(found.valid) == len(found.test) == 3


def test_some_wordings_are_held_out_where_the_retriever_held_none_out() -> None:
    found = looked_up(unseen=frozenset({"no longer there"}), chats_held_out=False)

    assert 2 < len(found.valid) + len(found.test) < len(found.learn)


def test_too_few_answers_are_refused() -> None:
    with pytest.raises(KnowledgeError, match="only 2 stored answers"):
        look_up(entries()[:2], (), (), Words(), candidates=3, unseen=None, seed=0, progress=silent)


def test_how_much_nearer_the_right_one_is() -> None:
    assert Question("q", (3, 1), (0.9, 0.7), frozenset({3})).lead == pytest.approx(0.2)
    assert Question("q", (3, 1), (0.9, 0.7), frozenset({1})).lead == pytest.approx(-0.2)
    assert Question("q", (3, 1), (0.9, 0.7), frozenset()).lead < 0
    assert Question("q", (3, 1), (0.9, 0.7), frozenset({8})).with_right().found == (3, 8)
    assert Question("q", (3, 1), (0.9, 0.7), frozenset({1})).with_right().found == (3, 1)


# The network.


def questions() -> Questions:
    """The retriever knows nothing: all are equally near. What is learned is asked four times, among others."""
    rng = np.random.default_rng(0)
    parts: list[list[Question]] = [[], [], []]
    for number, frame in enumerate(FRAMES):
        part = parts[max(0, number - 2)]
        for place, thing in [*enumerate(THINGS)] * (4 if part is parts[0] else 1):
            others = rng.permutation([other for other in range(len(THINGS)) if other != place])[:2]
            found = tuple(rng.permutation([place, *others]).tolist())
            part.append(Question(frame.format(named(thing)), found, (0.5, 0.5, 0.5), frozenset({place})))
    learn = [*parts[0], *(Question(f"{word} nothing", (0, 1, 2), (0.5,) * 3, frozenset()) for word in "ab")]
    return Questions(tuple(map(passage, THINGS)), tuple(learn), tuple(parts[1]), tuple(parts[2]))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Base, Path, dict[str, object]]:
    folder = tmp_path_factory.mktemp("reranker")
    known = questions()
    texts = [one.text for part in (known.learn, known.valid, known.test) for one in part]
    words = [word for text in [*texts, "goes out", "|", *PREFIXES, *THINGS] for word in text.split()]
    (folder / "base").mkdir()
    base = write_tiny_bert(folder / "base", words), PREFIXES
    run = RerankerRun(
        model=RerankerTable(first_layer=1, rank=0, longest=16, candidates=3),
        train=RerankerPace(epochs=40, learning_rate=2e-3, batch_size=8, patience=40),
    )
    making = Making(Registry(folder / "models"), "first", folder / "work", silent)
    metrics = dict(train_reranker(known, run, base=base, making=making))
    return base, folder / "models" / "reranker" / "first", metrics


def test_it_learns_what_answers(trained: tuple[Base, Path, dict[str, object]]) -> None:
    _, folder, metrics = trained

    assert metrics["p_at_1_before"] < 0.7
    assert metrics["p_at_1"] > 0.9
    assert metrics["reachable"] == 1
    assert metrics["epochs"][-1]["loss"] < metrics["epochs"][0]["loss"]  # type: ignore[index]
    card = (folder / "README.md").read_text("utf-8")
    assert "in the retriever's order" in card


class Three:
    """Finds three answers, the last a document; implements Retriever."""

    version = "three"

    def __init__(self, places: Sequence[int]) -> None:
        found = [passage(THINGS[place]) for place in places]
        self.hits = [
            *(Hit(one, 0.5, rank, features={"nearness": 0.5}) for rank, one in enumerate(found, 1)),
            Hit(passage("paper", source="document"), 0.4, 4),
        ]

    def search(
        self, query: str, k: int = 5, *, locale: str | None = None, read_as: str = ""
    ) -> Sequence[Hit]:
        return self.hits[:k]


def project(folder: Path, base: Base) -> Path:
    folder.mkdir()
    (folder / "kefu.toml").write_text(
        "[knowledge.encoder]\n"
        f'kind = "sentence_transformers"\nmodel = "{base[0]}"\n'
        f'query_prefix = "{PREFIXES[0]}"\npassage_prefix = "{PREFIXES[1]}"\n'
    )
    return folder


def test_what_was_learned_is_what_is_served(
    trained: tuple[Base, Path, dict[str, object]], tmp_path: Path
) -> None:
    base, folder, _ = trained
    settings = with_reranker(load_settings(project(tmp_path / "shop", base)), folder)
    right = 0
    for one in questions().test:
        retriever = reranked(settings, Three(one.found))
        assert isinstance(retriever, RerankedRetriever)
        *stored, document = retriever.search("and?", read_as=one.text)
        scores = [hit.features["reranked"] for hit in stored]
        best = int(np.argmax(scores))
        right += one.found[best] in one.right
        others = [*scores[:best], *scores[best + 1 :], 0.0]
        assert stored[best].features["reranked_margin"] == pytest.approx(scores[best] - max(others))
        assert stored[0].features["nearness"] == 0.5
        assert "reranked" not in document.features
    assert right / len(questions().test) > 0.9


def test_thresholds_with_a_reranker_are_not_those_without(
    trained: tuple[Base, Path, dict[str, object]], tmp_path: Path
) -> None:
    base, folder, _ = trained
    settings = load_settings(project(tmp_path / "shop", base))

    assert calibration_path(settings).name == "calibration.json"
    assert calibration_path(with_reranker(settings, folder)).name == "calibration-first.json"


def test_without_one_the_retriever_is_what_it_was(
    trained: tuple[Base, Path, dict[str, object]], tmp_path: Path
) -> None:
    retriever = Three((0, 1, 2))

    assert reranked(load_settings(project(tmp_path / "shop", trained[0])), retriever) is retriever


def test_one_of_another_encoder_is_refused(
    trained: tuple[Base, Path, dict[str, object]], tmp_path: Path
) -> None:
    base, folder, _ = trained
    (tmp_path / "other").mkdir()
    other = write_tiny_bert(tmp_path / "other", THINGS), base[1]
    settings = with_reranker(load_settings(project(tmp_path / "shop", other)), folder)

    with pytest.raises(ModelError, match="another encoder"):
        reranked(settings, Three((0, 1, 2)))


def test_one_that_finds_less_than_before_is_not_promoted(
    trained: tuple[Base, Path, dict[str, object]], tmp_path: Path
) -> None:
    base, folder, metrics = trained
    shop = project(tmp_path / "shop", base)
    worse = {**metrics, "p_at_1": 0.1}
    with Registry(shop / "models").making("reranker", "worse") as place:
        for file in folder.iterdir():
            if file.name not in ("metrics.json", "manifest.json"):
                (place / file.name).write_bytes(file.read_bytes())
        (place / "metrics.json").write_text(json.dumps(worse), "utf-8")

    refused = CliRunner().invoke(app, ["--project", str(shop), "models", "promote", "reranker", "worse"])

    assert refused.exit_code != 0
    assert "worse than before" in str(refused.exception)
    assert not Registry(shop / "models").model("reranker", "worse").promoted


# The command.


def test_the_commands_train_it_and_put_it_in_force(
    trained: tuple[Base, Path, dict[str, object]], tmp_path: Path
) -> None:
    shop = project(tmp_path / "shop", trained[0])
    words = ("my", "about", "please", "is", "ask", "tell", "it", "goes", "out")
    rows = [
        f"{thing}-{kind},{frame.format(thing)},"
        f"{'##'.join(f'{kind} {word} {thing}' for word in words)},{thing} goes out"
        for thing in THINGS
        for kind, frame in (("where", "where is {}"), ("send", "send {}"))
    ]
    (tmp_path / "faq.csv").write_text("\n".join(["id,question,similar_questions,answer", *rows]), "utf-8")
    (tmp_path / "run.toml").write_text(
        "[model]\nfirst_layer = 1\nrank = 4\nlongest = 16\ncandidates = 3\n[train]\nepochs = 1\nlead = 1.0\nmost = 20\n"
    )
    kefu = ["--project", str(shop)]

    imported = CliRunner().invoke(app, [*kefu, "import", "faq", str(tmp_path / "faq.csv")])
    learned = CliRunner().invoke(
        app,
        [*kefu, "train", "reranker", "--config", str(tmp_path / "run.toml"), "--name", "a", "--json"],
    )
    promoted = CliRunner().invoke(app, [*kefu, "models", "promote", "reranker", "a", "--force"])

    assert imported.exit_code == 0, imported.output
    assert learned.exit_code == 0, learned.output
    metrics = json.loads(learned.stdout[learned.stdout.index("{\n") :])
    assert metrics["examples"]["learned_from"] == 20
    assert metrics["examples"]["learn"] + metrics["examples"]["valid"] + metrics["examples"]["test"] == 228
    assert promoted.exit_code == 0, promoted.output
    assert "Thresholds" not in promoted.output, promoted.output
    settings = load_settings(shop)
    fitted = json.loads(calibration_path(settings).read_text("utf-8"))
    assert calibration_path(settings).name == "calibration-a.json"
    assert "reranked" in fitted["curves"]["en"]["weights"]
    CliRunner().invoke(app, [*kefu, "models", "rollback", "reranker"])
    assert calibration_path(settings).name == "calibration.json"
