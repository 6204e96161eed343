"""Names and values are learned from tagged sentences, in English and in Chinese."""

from __future__ import annotations

from chatbot.understand.tagger import features, fit_tagger, shape

CITIES = ["Paris", "London", "Berlin", "Madrid", "Rome", "Vienna"]


def test_a_name_never_seen_is_found_by_its_place_and_shape() -> None:
    sentences = [["ship", "it", "to", city, "today"] for city in CITIES] + [
        ["cancel", "it", "now", "please"] for _ in CITIES
    ]
    tags = [["O", "O", "O", "B-city", "O"] for _ in CITIES] + [["O"] * 4 for _ in CITIES]

    tagger = fit_tagger(sentences, tags)

    assert tagger.tag(["ship", "it", "to", "Lisbon", "tomorrow"]) == ["O", "O", "O", "B-city", "O"]
    assert tagger.tag([]) == []


def test_equal_examples_give_equal_taggers() -> None:
    sentences, tags = [["to", city] for city in CITIES], [["O", "B-city"] for _ in CITIES]

    first, second = fit_tagger(sentences, tags), fit_tagger(sentences, tags)

    assert first.tag(["from", "Oslo"]) == second.tag(["from", "Oslo"])


def test_progress_is_told_to_the_end() -> None:
    told: list[tuple[str, float]] = []

    fit_tagger([["to", "Rome"]], [["O", "B-city"]], progress=lambda what, done: told.append((what, done)))

    assert told[-1] == ("Learning to tag", 1.0)
    assert all(0 <= done <= 1 for _, done in told)


def test_chinese_characters_know_the_word_they_belong_to() -> None:
    seen = list(features(list("我要退款")))

    assert any(feature == "j=退款" for feature in seen[2])
    assert "jp=B" in seen[2]
    assert "jp=E" in seen[3]


def test_words_of_other_scripts_are_left_whole() -> None:
    assert not any(feature.startswith("j") for seen in features(["cancel", "it"]) for feature in seen)


def test_the_shape_folds_runs() -> None:
    assert [shape(word) for word in ("B-52s", "USA", "退款", "2026")] == ["X-9x", "X", "汉", "9"]
