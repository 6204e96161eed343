"""Logistic regression over the frozen encoder: what most tutorials on intents end with."""

from __future__ import annotations

from collections.abc import Sequence

from sentence_transformers import SentenceTransformer
from sklearn.linear_model import LogisticRegression

from benchmarks.rivals.systems.exchange import QUERY, Classify, IntentTask, answer_intents


def fit(task: IntentTask) -> Classify:
    """Encode the examples, fit the head with scikit-learn's defaults."""
    encoder = SentenceTransformer(task.encoder, device="cpu")
    head = LogisticRegression(max_iter=1000, random_state=task.seed)

    def encode(texts: Sequence[str]) -> object:
        return encoder.encode(list(texts), prompt=QUERY, normalize_embeddings=True, show_progress_bar=False)

    head.fit(encode(task.texts), task.intents)

    def classify(texts: Sequence[str]) -> tuple[Sequence[str], Sequence[float]]:
        chances = head.predict_proba(encode(texts))
        return head.classes_[chances.argmax(axis=1)], chances.max(axis=1)

    return classify


if __name__ == "__main__":
    answer_intents(fit, ["scikit-learn", "sentence-transformers"])
