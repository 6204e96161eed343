"""SetFit: the encoder is tuned on pairs of examples, then a logistic head is fitted.

All of its pairs take hours on two cores, so its training ends after a stated number of steps. The table of
words, four fifths of the encoder, stays as it is, which makes a step several times faster.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence

from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments

from benchmarks.rivals.systems.exchange import QUERY, Classify, IntentTask, answer_intents


def fit(task: IntentTask) -> Classify:
    """Train on the examples, for `task.steps` steps of 16 pairs."""
    model = SetFitModel.from_pretrained(task.encoder, labels=sorted(set(task.intents)), device="cpu")
    model.model_body[0].model.get_input_embeddings().requires_grad_(requires_grad=False)
    examples = Dataset.from_dict({"text": [QUERY + text for text in task.texts], "label": task.intents})
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            batch_size=16,
            max_steps=task.steps,
            seed=task.seed,
            report_to="none",
            save_strategy="no",
        )
        Trainer(model=model, args=arguments, train_dataset=examples).train()

    def classify(texts: Sequence[str]) -> tuple[Sequence[str], Sequence[float]]:
        chances = model.predict_proba([QUERY + text for text in texts], as_numpy=True)
        names = model.model_head.classes_
        return names[chances.argmax(axis=1)], chances.max(axis=1)

    return classify


if __name__ == "__main__":
    answer_intents(fit, ["setfit", "sentence-transformers"])
