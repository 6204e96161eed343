from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from knowledge import lexical
from knowledge.lexical import Bm25, Vocabulary, bare, bigram_likeness, fold, simplify, tokenize


def index_of(*texts: str) -> tuple[Bm25, Vocabulary]:
    vocabulary = Vocabulary()
    documents = [vocabulary.learn(tokenize(text)) for text in texts]
    return Bm25(documents, len(vocabulary)), vocabulary


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("請問怎麼退貨", "请问怎么退货"),
        ("ＡＢＣ１２３", "abc123"),
        ("How do I RETURN\n items?", "how do i return items?"),
    ],
)
def test_width_case_script_and_spaces_do_not_make_another_text(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def test_what_is_encoded_keeps_its_case() -> None:
    assert simplify("  Return　my  iPhone ") == "Return my iPhone"


def test_punctuation_does_not_make_another_question() -> None:
    assert bare("怎么退货？") == bare("怎么退货")
    assert bare("Where's my order?!") == bare("wheres my order")
    assert bare("?!…") == ""


def test_english_is_stemmed_and_chinese_cut_with_its_characters_beside_the_words() -> None:
    assert tokenize("Returning returned items") == ["return", "return", "item"]
    assert tokenize("退货") == ["退货", "退", "货"]
    assert {"iphon", "保修", "保", "修", "15", "pro"} <= set(tokenize("iPhone 15 Pro保修多久"))


def test_apostrophes_and_other_scripts_survive() -> None:
    assert tokenize("don't") == tokenize("dont")
    assert tokenize("don’t") != []
    assert tokenize("возврат товара") == ["возврат", "товара"]
    assert tokenize("😀 !!") == []


def test_stemming_from_many_threads_gives_what_one_thread_gives() -> None:
    words = [
        f"{stem}{end}" for stem in ("return", "refund", "deliver", "cancel") for end in ("ing", "ed", "s")
    ]
    alone = tokenize(" ".join(words))
    seen: list[list[str]] = []

    threads = [threading.Thread(target=lambda: seen.append(tokenize(" ".join(words)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == [alone] * 8


def test_the_text_with_the_rare_word_of_the_query_scores_best() -> None:
    model, vocabulary = index_of("how do I return an item", "how do I pay", "how do I track an order")

    scores = model.scores(vocabulary.find(tokenize("how to return")))

    assert int(np.argmax(scores)) == 0
    assert scores.shape == (3,)
    assert scores.dtype == np.float32


def test_scores_are_those_of_bm25s_itself() -> None:
    import bm25s

    texts = ["how do I return an item", "how do I pay pay pay", "track an order", "怎么退货", "退货多久到账"]
    model, vocabulary = index_of(*texts)
    plain = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
    plain.index([tokenize(text) for text in texts], show_progress=False)

    for query in ("how to pay", "退货", "order item return"):
        words = list(dict.fromkeys(tokenize(query)))
        ours = model.scores(vocabulary.find(words))
        theirs = plain.get_scores([word for word in words if word in plain.vocab_dict])
        assert np.allclose(ours, theirs, atol=1e-5)


def test_a_query_without_known_words_scores_nothing() -> None:
    model, vocabulary = index_of("how do I pay")

    assert not model.scores(vocabulary.find(tokenize("完全不同"))).any()


def test_no_documents_are_an_index_too() -> None:
    model, vocabulary = index_of()

    assert model.scores(vocabulary.find(["anything"])).shape == (0,)


def test_a_vocabulary_grows_and_never_renumbers() -> None:
    vocabulary = Vocabulary(["a", "b"])

    first = vocabulary.learn(["b", "c"])

    assert first.tolist() == [1, 2]
    assert vocabulary.tokens == ["a", "b", "c"]
    assert vocabulary.find(["c", "x", "a"]).tolist() == [2, 0]


def test_character_pairs_forgive_typing_errors() -> None:
    near, far = bigram_likeness("how to refnud", ["how to refund", "where is it"])

    assert near > far
    assert bigram_likeness("refund", ["refund"]) == [1.0]
    assert bigram_likeness("a", ["a"]) == [1.0]
    assert bigram_likeness("", [""]) == [1.0]


def test_a_damaged_dictionary_cache_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "jieba.cache"
    cache.write_bytes(b"damaged")
    monkeypatch.setattr(lexical.platformdirs, "user_cache_dir", lambda _: str(tmp_path))

    made = lexical._cutter.__wrapped__()
    read = lexical._cutter.__wrapped__()

    assert cache.stat().st_size > 1_000_000
    assert read.initialized
    assert made.lcut("我要退款") == read.lcut("我要退款")
    assert made.FREQ == read.FREQ
