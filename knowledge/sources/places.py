"""Where in a file something stands, in the words of the person who opens the file to mend it."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Place:
    """A spot in a file, counted as a spreadsheet or editor shows it: the header is line 1."""

    file: str
    line: int | None = None
    column: str | None = None
    sheet: str | None = None

    def at(self, column: str | None) -> Place:
        """The same line, in this column."""
        return replace(self, column=column)

    def __str__(self) -> str:
        parts = [self.file]
        if self.sheet is not None:
            parts.append(f"sheet '{self.sheet}'")
        if self.line is not None:
            parts.append(f"line {self.line}")
        if self.column is not None:
            parts.append(f"column '{self.column}'")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at a place, and what to do."""

    place: Place
    what: str
    """A whole sentence with the value: "The answer is empty."."""
    do: str
    """A whole sentence: "Write an answer, or delete the row."."""

    def __str__(self) -> str:
        return f"{self.place}: {self.what} {self.do}"


def excerpt(value: object, *, characters: int = 40) -> str:
    """A value for an error message: on one line, cut."""
    text = " ".join(str(value).split())
    return f"'{text}'" if len(text) <= characters else f"'{text[: characters - 1]}…'"
