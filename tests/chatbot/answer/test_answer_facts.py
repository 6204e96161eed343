import pytest

from chatbot.answer.facts import FACTS, atoms, normalise


def keys(text: str) -> list[str]:
    return [atom.key for atom in atoms(normalise(text)) if atom.kind in FACTS]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("30 days", "３０ 天"),
        ("thirty days", "三十天"),
        ("two weeks", "两周"),
        ("1,299 yuan", "￥1299"),
        ("1,299.00元", "RMB 1299"),
        ("1.5万元", "15000元"),
        ("two hundred yuan", "两百元"),
        ("15%", "百分之十五"),
        ("$6.90", "6.9 dollars"),
        ("3-5 business days", "3到5个工作日"),
        ("3 to 5 business days", "3至5工作日"),
        ("24-month", "24个月"),
        ("twenty-four hours", "24小时"),
        ("March 5, 2027", "2027年3月5日"),
        ("5 March 2027", "2027-03-05"),
        ("5th of March 2027", "2027/3/5"),
        ("March 2027", "2027年3月"),
        ("March 5", "3月5日"),
        ("2 pm", "下午2点"),
        ("14:00", "14点"),
        ("9:30 am", "上午9点半"),
        ("12 am", "0:00"),
        ("Monday", "周一"),
        ("Sundays", "星期日"),
        ("400-800-1234", "400 800 1234"),
        ("https://www.kefu.example/a/", "kefu.example/a"),
        ("A@B.com", "a@b.com"),
        ("一千二百三十四元", "1234 yuan"),
    ],
)
def test_one_fact_has_one_key_however_it_is_written(one: str, other: str) -> None:
    assert keys(one) == keys(other) != []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("30 days", "30 weeks"),
        ("$30", "€30"),
        ("30元", "30美元"),
        ("3 days", "3 business days"),
        ("March 5", "May 3"),
        ("2 am", "2 pm"),
        ("周一", "周二"),
        ("kefu.example/a", "kefu.example/b"),
        ("X200", "X300"),
        ("5 GB", "5 MB"),
    ],
)
def test_two_facts_have_two_keys(one: str, other: str) -> None:
    assert keys(one) != keys(other)


def test_words_that_only_look_like_numbers_are_words() -> None:
    assert keys("one of them, 一般来说, 一起, a decent zero") == []


def test_zero_width_characters_and_markdown_do_not_hide_a_number() -> None:
    assert keys("**3\u200b0** days") == keys("30 days")
