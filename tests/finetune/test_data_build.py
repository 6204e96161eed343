"""From logs and knowledge to datasets: good answers, masked, divided, the same again, and nothing lost unsaid."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from data_cases import ANSWERS, built, dialogue, many_dialogues, shop, written

from chatbot.chats import read_chats
from chatbot.record.redaction import redact
from finetune.data.build import Options, build
from finetune.data.values import DataError, Example, LeakError
from finetune.data.writing import contents, write
from knowledge.types import Entry, Passage

RETURN, EXPRESS = list(ANSWERS)[:2]


def examples(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for split in ("train", "valid", "test")
        for line in (folder / "dialogue" / f"{split}.jsonl").read_text("utf-8").splitlines()
    ]


def dataset(tmp_path: Path, records: list[Any], **options: Any) -> Path:
    log = written(tmp_path / "log.jsonl", records)
    chosen = Options(held_out=0.2, **options)
    write(built(log, options=chosen), chosen, tmp_path / "out", inputs={}, versions={})
    return tmp_path / "out"


def of(conversation: str, folder: Path) -> list[dict[str, Any]]:
    return [one for one in examples(folder) if one["conversation_id"] == conversation]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def reasons(folder: Path) -> list[str]:
    return [json.loads(line)["why"] for line in (folder / "set_aside.jsonl").read_text("utf-8").splitlines()]


def test_an_example_has_the_promised_fields_and_ends_with_the_customers_message(tmp_path: Path) -> None:
    folder = dataset(tmp_path, many_dialogues())

    fields = {
        "id", "locale", "split", "task", "passages", "messages", "answer", "cites", "standalone", "source",
        "conversation_id", "at",
    }  # fmt: skip
    found = examples(folder)
    assert all(set(one) == fields and one["messages"][-1]["role"] == "user" for one in found)
    assert {one["split"] for one in found} == {"train", "valid", "test"}
    assert all(set(one["cites"]) <= {p["id"] for p in one["passages"]} for one in found)
    assert all(bool(one["cites"]) == (one["answer"] is not None) for one in found if one["task"] == "compose")


def test_an_answer_in_the_agents_words_is_kept_where_the_passages_bear_it_out(tmp_path: Path) -> None:
    said = "You can return a parcel within 30 days."

    [one] = of("c", dataset(tmp_path, [dialogue("c", "how do i return the parcel i got", f"Hi! {said}")]))

    assert (one["answer"], one["cites"], one["source"]) == (said, ["faq:0"], "log")


def test_an_answer_in_other_words_becomes_the_stored_sentence(tmp_path: Path) -> None:
    answer = "For express delivery that would be 12 euros, it takes 2 days, promised."

    [one] = of("c", dataset(tmp_path, [dialogue("c", "what would express delivery be", answer)]))

    assert (one["answer"], one["source"]) == (
        "Express delivery costs 12 euros and takes 2 days.",
        "log:stored",
    )


def test_a_planted_wrong_answer_is_set_aside_and_not_learned(tmp_path: Path) -> None:
    folder = dataset(
        tmp_path,
        [dialogue("c", "how much is express delivery?", "Express delivery costs 99 euros.", rating=5)],
    )

    assert of("c", folder) == []
    assert "against them" in " ".join(reasons(folder))


def test_what_the_passages_do_not_tell_has_no_answer(tmp_path: Path) -> None:
    [one] = of(
        "c", dataset(tmp_path, [dialogue("c", "do hamsters like spinach", "Most of them love leafy greens.")])
    )

    assert one["answer"] is None
    assert one["cites"] == []


def test_an_answer_that_left_the_customer_unserved_is_not_learned(tmp_path: Path) -> None:
    bad = dialogue("c", RETURN.lower() + " today", ANSWERS[RETURN], "useless", "…", rating=1, resolved=False)

    folder = dataset(tmp_path, [bad])

    assert of("c", folder) == []
    assert any("not served" in why for why in reasons(folder))


def test_of_two_answers_to_one_question_the_one_that_served_better_is_kept(tmp_path: Path) -> None:
    asked = "how do i return a parcel that came yesterday evening"
    folder = dataset(
        tmp_path,
        [
            dialogue("worse", asked, ANSWERS[RETURN], rating=3),
            dialogue("better", asked + "?", ANSWERS[RETURN], "perfect, thanks", rating=5, day=1),
        ],
    )

    assert of("worse", folder) == []
    assert len(of("better", folder)) == 1
    assert any("better#1" in why for why in reasons(folder))


def test_personal_data_is_in_no_file_whatever_line_it_stood_on(tmp_path: Path) -> None:
    folder = dataset(
        tmp_path,
        [
            dialogue("c", "how do I return a parcel? my phone is 13800138000", ANSWERS[RETURN], rating=5),
            dialogue(
                "d",
                "I am anna.smith@example.com, my lamp burns",
                "I see 13912345678 in our files, it is yours.",
            ),
            {
                "messages": [
                    {"role": "wizard", "text": "mail anna.smith@example.com"},
                    {"role": "user", "text": "13800138000"},
                ]
            },
            '{"text": "13800138000',
            {
                "context": ["my number is 13800138000"],
                "current": "and anna.smith@example.com",
                "rewrite": "13800138000",
            },
        ],
        augment=1.0,
    )

    text = "".join(path.read_text("utf-8") for path in folder.rglob("*") if path.is_file())

    assert "13800138000" not in text
    assert "13912345678" not in text
    assert "anna.smith" not in text
    assert "[phone]" in text


def test_every_line_is_used_or_named(tmp_path: Path) -> None:
    records: list[Any] = [
        dialogue("used", "the lamp came broken, what about returning the parcel", ANSWERS[RETURN]),
        "not json",
        dialogue("asks-nothing", "hello", "Hi!"),
        dialogue("asks-back", "where is it all", "Could you send me your order number?"),
        dialogue("unclear", "how do I reset my password?", "Press F7 and type 4711 in the password box."),
        dialogue("used", "again", "again"),
    ]

    folder = dataset(tmp_path, records)

    aside = [json.loads(line) for line in (folder / "set_aside.jsonl").read_text("utf-8").splitlines()]
    used = {one["conversation_id"] for one in examples(folder)} - {None}
    assert used == {"used"}
    assert sorted(one["line"] for one in aside if one["line"]) == [2, 3, 4, 5, 6]
    assert all(one["file"].endswith("log.jsonl") and one["why"] for one in aside if one["line"])


def test_the_same_input_and_seed_give_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    log = written(tmp_path / "log.jsonl", many_dialogues())

    first, again, other = (
        contents(built(log, options=Options(held_out=0.2, augment=0.5, seed=seed))) for seed in (0, 0, 1)
    )

    assert first == again
    assert first != other


def test_pairs_name_an_answer_and_hard_negatives_that_are_other_answers(tmp_path: Path) -> None:
    folder = dataset(tmp_path, many_dialogues())

    rows = table(folder / "retriever" / "train.csv")
    known = [
        json.loads(line)["id"]
        for line in (folder / "retriever" / "passages.jsonl").read_text("utf-8").splitlines()
    ]

    assert {"faq", "log"} == {row["source"] for row in rows}
    assert all(row["answer_id"] in known for row in rows)
    assert any(row["negative_ids"] for row in rows)
    assert all(row["answer_id"] not in row["negative_ids"].split() for row in rows)
    assert all(set(row["negative_ids"].split()) <= set(known) for row in rows)


def test_messages_filed_under_an_intent_are_examples_of_it(tmp_path: Path) -> None:
    folder = dataset(
        tmp_path,
        [
            dialogue(
                "c",
                "please drop what I ordered on Monday",
                "Press 'Cancel' in your account.",
                topic="cancel_order",
            ),
            dialogue("d", "what about the kettle", "It is blue.", topic="weather"),
        ],
    )

    rows = [row for split in ("train", "valid", "test") for row in table(folder / "intents" / f"{split}.csv")]

    assert {row["intent"] for row in rows} == {"cancel_order"}
    assert [row["text"] for row in rows if row["source"] == "log"] == ["please drop what I ordered on Monday"]


def test_conversations_are_written_message_by_message_with_what_answered(tmp_path: Path) -> None:
    talk = dialogue(
        "c",
        "how do i return the parcel i got",
        "You can return a parcel within 30 days.",
        "and which cards do you take",
        "We accept Visa and Mastercard.",
        "thanks, great",
        rating=5,
    )

    folder = dataset(tmp_path, [*many_dialogues(), talk])

    chats = [chat for split in ("train", "valid") for chat in read_chats(folder / "chats" / f"{split}.jsonl")]
    found = next(chat for chat in chats if len(chat.messages) > 1)
    assert [(line.text, line.answers) for line in found.messages] == [
        ("how do i return the parcel i got", ("faq:0",)),
        ("and which cards do you take", ("faq:4",)),
    ]
    held_out = read_chats(folder / "chats" / "test.jsonl")
    assert not {chat.messages[0].text for chat in held_out} & {chat.messages[0].text for chat in chats}


def test_follow_ups_with_a_standalone_question_become_rewrites(tmp_path: Path) -> None:
    record = {
        "context": ["how much is X5", "4,299"],
        "current": "and the case",
        "rewrite": "how much is the case of X5",
    }

    found = [one for one in examples(dataset(tmp_path, [record])) if one["task"] == "rewrite"]

    assert [one["standalone"] for one in found] == ["how much is the case of X5"]
    assert [message["role"] for message in found[0]["messages"]] == ["user", "assistant", "user"]


def test_the_language_that_logs_lack_gets_more_stored_wordings(tmp_path: Path) -> None:
    company = shop()
    chinese = [entry for entry in company.entries if entry.passage.locale == "zh"]
    more = [
        replace(entry, questions=(*entry.questions, *(f"{entry.questions[0]}{n}号" for n in "一二三四五六")))
        for entry in chinese
    ]
    entries = [*(entry for entry in company.entries if entry.passage.locale == "en"), *more]

    made = build([], replace(company, entries=entries), mask=redact, options=Options(held_out=0.2))

    asked = [row for _, row in made.rows["dialogue"] if isinstance(row, Example)]
    assert sum(row.locale == "zh" for row in asked) > 2 * len(chinese)


def test_the_card_counts_hashes_and_shows_what_was_made(tmp_path: Path) -> None:
    folder = dataset(tmp_path, many_dialogues())

    card = json.loads((folder / "card.json").read_text("utf-8"))
    page = (folder / "README.md").read_text("utf-8")

    assert card["datasets"]["dialogue"]["train"]["rows"] == len(
        (folder / "dialogue" / "train.jsonl").read_text("utf-8").splitlines()
    )
    assert card["read"] == {"conversations": 40, "exchanges": 40}
    assert set(card["files"]) == {str(path.relative_to(folder)) for path in folder.rglob("*.*")} - {
        "card.json",
        "README.md",
    }
    assert "## Examples" in page
    assert "answer:" in page


def test_a_folder_that_holds_something_else_is_left_alone_and_an_own_one_is_replaced(tmp_path: Path) -> None:
    dataset(tmp_path, many_dialogues())
    dataset(tmp_path, many_dialogues()[:20])
    assert json.loads((tmp_path / "out" / "card.json").read_text())["read"]["conversations"] == 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.jsonl", "out"]

    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter.txt").write_text("mine")
    with pytest.raises(DataError, match="holds no dataset"):
        write(built(options=Options()), Options(), other, inputs={}, versions={})
    assert (other / "chapter.txt").read_text() == "mine"


def test_the_folder_of_conversations_is_nobody_elses_business(tmp_path: Path) -> None:
    assert dataset(tmp_path, many_dialogues()).stat().st_mode & 0o077 == 0


def test_without_logs_and_knowledge_there_is_nothing_to_learn_from() -> None:
    with pytest.raises(DataError, match="nothing to learn from"):
        build([], replace(shop(), entries=[], intents={}), mask=redact, options=Options())


def test_a_leak_stops_the_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import finetune.data.build as building
    from finetune.data.division import Division, divide

    def careless(datasets: Any, **options: Any) -> Division:
        splits = dict(divide(datasets, **options).splits)
        flipped = {unit: "test" if place % 2 else "train" for place, unit in enumerate(splits)}
        return Division(flipped, None, None)  # type: ignore[arg-type]

    monkeypatch.setattr(building, "divide", careless)

    with pytest.raises(LeakError, match="The split leaks"):
        built(written(tmp_path / "log.jsonl", many_dialogues()))


def test_a_labelled_answer_finds_its_passage_even_where_the_words_go_beyond_it(tmp_path: Path) -> None:
    record = {
        "turns": [{"role": "user", "text": "may anything be wrapped for a birthday"}],
        "relevant_ids": ["7"],
        "response": "Sure, our elves wrap in gold paper for free.",
    }

    folder = dataset(tmp_path, [record])

    rows = [
        row for split in ("train", "valid", "test") for row in table(folder / "retriever" / f"{split}.csv")
    ]
    assert [row["answer_id"] for row in rows if row["source"] == "log"] == ["faq:7"]
    assert any("against them" in why for why in reasons(folder))


def test_questions_that_differ_in_a_name_alone_keep_their_own_answers() -> None:
    entries = [
        Entry(Passage(f"faq:{name}", f"The {name} has free wifi.", "wifi", "faq", "en"), (question,))
        for name in ("Arlo", "Arla", "Arli")
        for question in [f"Do you have wifi in all rooms and in the garden of the {name}?"]
    ]
    company = replace(shop(), entries=entries, intents={})

    made = build([], company, mask=redact, options=Options(held_out=0.2))

    assert {row.unit for _, row in made.rows["dialogue"]} == {"faq:Arlo", "faq:Arla", "faq:Arli"}
