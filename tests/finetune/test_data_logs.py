"""Whatever shape a log has, it becomes conversations; what cannot be read is named with its line."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from data_cases import dialogue, written

from finetune.data.columns import satisfaction_of, side_of, time_of
from finetune.data.logs import read_log
from finetune.data.values import Completion, Conversation, SetAside

QUESTION, ANSWER = "Where is my parcel?", "It is in Leipzig."


def conversations(path: Path) -> list[Conversation]:
    return [read for read in read_log(path) if isinstance(read, Conversation)]


def said(path: Path) -> list[tuple[str, str]]:
    return [(one.speaker, one.text) for one in conversations(path)[0].messages]


SHAPES: dict[str, dict[str, Any]] = {
    "openai": {"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}]},
    "sharegpt": {"conversations": [{"from": "human", "value": QUESTION}, {"from": "gpt", "value": ANSWER}]},
    "alpaca": {"instruction": QUESTION, "input": "", "output": ANSWER},
    "turns": {"id": 7, "turns": [{"role": "usr", "text": QUESTION}, {"role": "sys", "text": ANSWER}]},
    "labelled": {"turns": [{"role": "user", "text": QUESTION}], "relevant_ids": ["a"], "response": ANSWER},
    "texts": {"dialogue_context": [f"user:{QUESTION}", f"agent:{ANSWER}"]},
    "zendesk": {"history": [{"type": "chat.msg", "sender_type": "Visitor", "msg": QUESTION}, {"type": "chat.msg", "sender_type": "Agent", "msg": ANSWER}]},
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_a_conversation_on_one_line_is_read_in_every_common_shape(shape: str, tmp_path: Path) -> None:
    path = written(tmp_path / "log.jsonl", [SHAPES[shape]])

    assert said(path) == [("customer", QUESTION), ("agent", ANSWER)]


@pytest.mark.parametrize(
    "header",
    [
        ("conversation_id", "role", "text", "created_at"),
        ("会话ID", "角色", "内容", "时间"),
        ("Ticket ID", "Author Type", "Body", "Created At"),
        ("TalkerId", "IsSender", "StrContent", "StrTime"),
    ],
)
def test_a_table_with_one_message_a_row_is_joined_by_conversation_and_ordered_by_time(
    header: tuple[str, ...], tmp_path: Path
) -> None:
    own = header[1] == "IsSender"
    rows = [
        ("c1", "1" if own else "agent", ANSWER, "2026/1/5 10:02"),
        ("c2", "0" if own else "客户", "hello", "2026-01-05T10:00:00"),
        ("c1", "0" if own else "customer", QUESTION, "2026/1/5 10:01"),
        ("c2", "1" if own else "客服", "Hi, what can I do for you?", "2026-01-05T10:03:00"),
    ]
    path = tmp_path / "log.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([header, *rows])

    assert said(path) == [("customer", QUESTION), ("agent", ANSWER)]
    assert [one.id for one in conversations(path)] == ["c1", "c2"]


def test_internal_notes_and_activities_of_chatwoot_are_not_talk(tmp_path: Path) -> None:
    rows = [
        {"conversation_id": 1, "message_type": 0, "content": QUESTION, "private": False},
        {"conversation_id": 1, "message_type": 1, "content": "He is angry", "private": True},
        {"conversation_id": 1, "message_type": 2, "content": "Anna joined"},
        {"conversation_id": 1, "message_type": 1, "content": ANSWER, "private": False},
    ]

    path = written(tmp_path / "log.jsonl", rows)

    assert said(path) == [("customer", QUESTION), ("agent", ANSWER)]
    assert ["internal note" in one.why for one in read_log(path) if isinstance(one, SetAside)] == [True]


def test_every_line_that_cannot_be_read_is_named_with_its_reason_and_the_others_go_on(tmp_path: Path) -> None:
    path = written(
        tmp_path / "log.jsonl",
        [
            '{"id": "cut off", "messages": [',
            dialogue("good", QUESTION, ANSWER),
            {"colour": "blue"},
            {"messages": [{"role": "wizard", "text": "hm"}, {"role": "user", "text": "a"}]},
            "[1, 2]",
            {"role": "user", "text": "whose is this?"},
            dialogue("alone", "is anybody there?"),
            {"messages": [{"role": "user", "text": "x", "at": "yesterday"}]},
        ],
    )

    aside = [one for one in read_log(path) if isinstance(one, SetAside)]

    assert [one.id for one in conversations(path)] == ["good"]
    assert {one.place.line for one in aside} == {1, 3, 4, 5, 6, 7, 8}
    assert all(one.place.file == str(path) and one.why for one in aside)
    assert "wizard" in " ".join(one.why for one in aside)


def test_a_row_of_a_table_with_too_few_cells_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("conversation_id,role,text\nc,user,hi\nc,agent\nc,agent,hello\n")

    aside = [one for one in read_log(path) if isinstance(one, SetAside)]

    assert [(one.place.line, "2 cells" in one.why) for one in aside] == [(3, True)]


def test_a_rating_that_means_nothing_is_named_and_the_conversation_stays(tmp_path: Path) -> None:
    path = written(tmp_path / "log.jsonl", [dialogue("c", QUESTION, ANSWER, rating=17, resolved="是")])

    read = list(read_log(path))

    assert [one.why for one in read if isinstance(one, SetAside)] == [
        "The rating '17' means nothing here; it is left out."
    ]
    assert [(one.satisfaction, one.resolved) for one in conversations(path)] == [(None, True)]


def test_a_follow_up_with_its_standalone_question_is_a_completion(tmp_path: Path) -> None:
    record = {
        "context": ["how much is X5", "4,299"],
        "current": "and the case",
        "rewrite": "how much is the case of X5",
    }

    [read] = read_log(written(tmp_path / "log.jsonl", [record]))

    assert isinstance(read, Completion)
    assert read.context == ("how much is X5", "4,299")


def test_an_export_of_kefu_is_read_back_with_its_ratings(tmp_path: Path) -> None:
    turn = {
        "id": "t1",
        "message": {"conversation_id": "c", "text": QUESTION, "sent_at": "2026-01-05T10:00:00Z"},
        "understanding": {"query": QUESTION, "language": "en"},
        "decision": {"kind": "answer", "passage_ids": ["faq:1"], "verbatim": True},
        "reply": {"text": ANSWER},
        "rating": {"value": "up", "reasons": [], "comment": ""},
    }

    [read] = conversations(written(tmp_path / "log.jsonl", [turn]))

    assert read.source == "record"
    assert (read.messages[1].thumb, read.messages[1].passage_ids) == (1.0, ("faq:1",))


def test_times_ratings_and_roles_are_understood_in_the_words_of_other_systems() -> None:
    at = datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert {
        time_of(one)
        for one in (at.timestamp(), int(at.timestamp() * 1000), "2026/1/5 10:00", "2026-01-05T10:00Z")
    } == {at}
    assert [satisfaction_of(one) for one in (1, 5, "3", "good", "不满意", {"value": "up"}, None)] == [
        0,
        1,
        0.5,
        1,
        0,
        1,
        None,
    ]
    assert [side_of(one) for one in ("访客", "坐席", "System", {"type": "admin"}, "wizard")] == [
        "customer", "agent", "system", "agent", None,
    ]  # fmt: skip
    assert side_of("1", "messagetype") == "agent"


def test_json_files_may_hold_a_list(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text(json.dumps([SHAPES["openai"], SHAPES["sharegpt"]]))

    assert len(conversations(path)) == 2
