"""Errors that a person can act on.

KefuError                     two sentences: what is wrong with which value; what to do
├── SettingsError             kefu.toml or KEFU__… is wrong
├── ModelError                a model is missing, damaged or of the wrong kind
├── KnowledgeError            a file or row cannot be read
├── IndexMismatchError        the index on disk does not belong to this encoder or database, or is damaged
├── StoreError                the database refused
└── ConflictError             the same key or row was used for something else

`exit_code` is what the command line returns for it: 1 a problem was found, 2 wrong usage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class KefuError(Exception):
    """Base of all errors that Kefu raises on purpose; its text is shown to people as it is."""

    exit_code = 1


class SettingsError(KefuError):
    """kefu.toml, or a KEFU__… variable, is wrong."""

    exit_code = 2


class ModelError(KefuError):
    """A model is missing, damaged, or of the wrong kind."""


class KnowledgeError(KefuError):
    """A file or a row of knowledge cannot be read."""


class IndexMismatchError(KefuError):
    """The index on disk is damaged, or was built for another encoder or database."""


class StoreError(KefuError):
    """The database could not do what was asked."""


class ConflictError(KefuError):
    """A key was used before for something else."""


def first_problem(error: ValidationError) -> str:
    """What is wrong first, and where: "messages.0.text: Field required"."""
    problem = error.errors(include_url=False)[0]
    where = ".".join(map(str, problem["loc"]))
    return f"{where}: {problem['msg']}" if where else str(problem["msg"])
