"""A round of the risk benchmark: what nothing answers is gone from the FAQ, and no group of answers is on both sides."""

from __future__ import annotations

from pathlib import Path

from benchmarks.risk import divided
from benchmarks.rivals.sets import FaqSet, read_rows


def faq(folder: Path, groups: int) -> FaqSet:
    """Two answers a group, and two questions: one to the first of them, one to both."""
    entries, questions = ["id,question,answer"], ["query,relevant_ids"]
    for group in range(groups):
        entries += [f"a{group},What is {group}?,It is {group}.", f"b{group},And {group}?,That is {group}."]
        questions += [f"tell me {group},a{group}", f"{group} please,b{group} a{group}"]
    (folder / "faq.csv").write_text("\n".join(entries), "utf-8")
    (folder / "queries.csv").write_text("\n".join(questions), "utf-8")
    return FaqSet("tiny", folder / "faq.csv", folder / "queries.csv", "")


def test_questions_to_what_was_taken_out_have_no_answer(tmp_path: Path) -> None:
    round_ = divided(faq(tmp_path, 20), tmp_path / "round", seed=1)

    left = {row["id"] for row in read_rows(round_ / "faq.csv")}
    asked = read_rows(round_ / "queries.csv") + read_rows(round_ / "calibration.csv")
    assert len(left) == 30
    assert {name[1:] for name in left if name[0] == "a"} == {name[1:] for name in left if name[0] == "b"}
    assert len(asked) == 40
    assert sum(not row["relevant_ids"] for row in asked) == 10
    assert all(set(row["relevant_ids"].split()) <= left for row in asked)


def test_no_answer_is_asked_for_on_both_sides(tmp_path: Path) -> None:
    round_ = divided(faq(tmp_path, 20), tmp_path / "round", seed=1)

    about = [
        {word for row in read_rows(round_ / name) for word in row["query"].split() if word.isdigit()}
        for name in ("queries.csv", "calibration.csv")
    ]
    assert not about[0] & about[1]
    assert [len(side) for side in about] == [4, 16]
