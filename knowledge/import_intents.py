"""What each intent would do to the store."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from knowledge.imports import Draft, ImportPlan, OnConflict
from knowledge.sources.encodings import UnreadableFileError
from knowledge.sources.intent_files import scan_intents
from knowledge.sources.intents import Intent
from knowledge.sources.places import Place, Problem
from knowledge.store import KnowledgeStore


def plan_import_intents(
    store: KnowledgeStore, paths: Iterable[Path], *, on_conflict: OnConflict = "overwrite"
) -> ImportPlan[Intent]:
    """Compare intents with the store by name; nothing is written.

    Args:
        store: What is known.
        paths: YAML files, see `sources.intents`.
        on_conflict: What becomes of intents that are stored with another content.
    """
    draft: Draft[Intent] = Draft(on_conflict)
    stored = {intent.name: intent for intent in store.intents()}
    read: dict[str, Place] = {}
    for path in paths:
        try:
            rows = list(scan_intents(path))
        except UnreadableFileError as error:
            draft.invalid([error.problem])
            continue
        for row in rows:
            intent = row.intent
            if intent is None:
                draft.invalid(row.problems)
            elif intent.name in read:
                what = f"An intent '{intent.name}' stands already in {read[intent.name]}."
                draft.invalid([Problem(row.place, what, "Merge the two, or rename one.")])
            else:
                read[intent.name] = row.place
                _place_intent(draft, row.place, intent, stored.get(intent.name))
    return draft.plan()


def _place_intent(draft: Draft[Intent], place: Place, intent: Intent, old: Intent | None) -> None:
    if old is None:
        draft.add(place, "new", intent, item_id=intent.name)
    elif old == intent:
        draft.leave(place, "same", item_id=intent.name)
    else:
        names = [name for name in Intent.model_fields if getattr(old, name) != getattr(intent, name)]
        message = f"{place}: The intent '{intent.name}' changes in {', '.join(names)}."
        draft.add(place, "changed", intent, item_id=intent.name, message=message)
