import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.answer.templates import choose, example, fill, in_language, label, plain, shown
from chatbot.answer.texts import known_names, say
from knowledge.sources.intents import Intent, Slot, Template

STATUS = Slot(
    name="status",
    type="choice",
    choices={"sent": ["sent"]},
    labels={"sent": {"zh": "已发货", "en": "on its way"}},
    ask={"en": "?"},
)
INTENT = Intent(
    name="order",
    slots=[STATUS, Slot(name="order_id", ask={"en": "Which?"}), Slot(name="eta", ask={"en": "When?"})],
    templates=[
        Template(when={"status": "sent"}, text={"en": "{order_id} arrives {eta}.", "zh": "{order_id} 将于 {eta} 送达。"}),
        Template(when={"status": "sent"}, text={"en": "{order_id} is {status}."}),
        Template(text={"en": "Nothing known."}),
    ],
)  # fmt: skip


def test_slots_are_replaced_and_everything_else_is_text() -> None:
    assert fill("{name}: {0} ${name} %s {Name} {", {"name": "A"}) == "A: {0} $A %s {Name} {"
    assert fill("a{missing}b", {}) == "ab"


@given(st.text(max_size=50))
def test_a_customer_s_value_is_never_filled_again(value: str) -> None:
    assert fill("<{one}>", {"one": value, "two": "secret", value: "secret"}) == f"<{value}>"
    assert "secret" not in fill("{one}", {"one": "{two}", "two": "secret"})


@pytest.mark.parametrize(
    "value",
    [
        "<script>alert(1)</script>",
        "[x](javascript:1)",
        "![](http://evil)",
        "a`b`",
        "{order_id}",
        "a\x00\x1b[31mb\n\nc",
    ],
)
def test_a_customer_s_value_is_no_markup(value: str) -> None:
    assert not set("<>[]{}`\x00\x1b\n") & set(plain(value))


def test_an_endless_value_is_cut() -> None:
    assert len(plain("x" * 10_000)) < 250


def test_the_first_template_that_holds_and_can_be_filled_is_chosen() -> None:
    assert (
        choose(INTENT, {"status": "Sent", "order_id": "A1", "eta": "Monday"}, "en")
        == "{order_id} arrives {eta}."
    )
    assert choose(INTENT, {"status": "sent", "order_id": "A1"}, "en") == "{order_id} is {status}."
    assert choose(INTENT, {"status": "lost"}, "en") == "Nothing known."
    assert choose(Intent(name="x", handoff="always"), {}, "en") is None


def test_a_missing_language_falls_back_to_one_that_is_there() -> None:
    assert in_language({"zh": "中", "en": "E"}, "en") == "E"
    assert in_language({"zh": "中"}, "en") == "中"
    assert in_language({"en": "E"}, "zh") == "E"
    assert in_language({"fr": "F"}, "zh") == "F"


def test_a_choice_is_shown_by_its_label_in_the_customer_s_language() -> None:
    assert label(STATUS, "sent", "zh") == "已发货"
    assert label(STATUS, "unknown<b>", "zh") == "unknown b"
    assert shown(INTENT, {"status": "sent", "order_id": "A<1", "extra": "x|y"}, "en") == {
        "status": "on its way",
        "order_id": "A 1",
        "extra": "x y",
    }


@pytest.mark.parametrize(
    ("pattern", "made"),
    [
        (r"LM\d{4}", "LM1234"),
        (r"[A-Z]{2}\d{3}", "AA123"),
        (r"AB-\d", "AB-1"),
        (r"(a|b)+", ""),
        (r"\d{2,4}", "12"),
        (r"[0-9]{3}x", "123x"),
    ],
)
def test_an_example_of_a_simple_pattern_matches_it(pattern: str, made: str) -> None:
    assert example(pattern) == made


def test_every_fixed_text_is_there_in_both_languages() -> None:
    for name in known_names():
        for language in ("zh", "en"):
            assert say(name, language).strip()


def test_the_same_turn_always_gets_the_same_wording() -> None:
    assert say("clarify", "zh", turn="a") == say("clarify", "zh", turn="a")
    assert len({say("clarify", "zh", turn=str(number)) for number in range(20)}) > 1
