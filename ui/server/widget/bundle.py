"""The window's modules as one script, so that it is painted after one request for it and not after twenty.

Each module becomes a function of its own name that returns what the module exports: nothing is renamed, no name
can meet another, and an error in the browser's console names the module it came from.

    import { fill } from "./texts.mjs";         ->   const { fill } = $texts;
    import en from "./texts-en.json" with …;    ->   const en = $texts_en;
    export function fill(…) {…}                 ->   function fill(…) {…}   …   return { fill };

Only these forms are understood; a module that uses another stops the start of the server and says where.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from knowledge.errors import KefuError
from ui.server.widget.lean import lean

_IMPORT = re.compile(
    r'^import (?:\{ (?P<names>\w+(?:, \w+)*) \} from "\./(?P<module>[\w-]+\.mjs)"'
    r'|(?P<whole>\w+) from "\./(?P<data>[\w-]+\.json)" with \{ type: "json" \});$',
    re.MULTILINE,
)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*? ?|class |const )(\w+))", re.MULTILINE)
_LEFT = re.compile(r"^(?:import|export)\b.*|\bimport\(.*", re.MULTILINE)


class BundleError(KefuError):
    """The window's modules cannot be joined."""


def bundle(folder: Path, entry: str) -> bytes:
    """The module `entry` of the folder with all that it imports, as one module.

    Raises:
        BundleError: One of them is missing, imports itself in a circle, or imports or exports in another form.
    """
    done: dict[str, str] = {}
    exported: dict[str, frozenset[str]] = {}

    def add(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise _wrong(name, f"imports itself ({' > '.join((*path, name))})")
        if name in done:
            return
        source = _read(folder, name)
        if name.endswith(".json"):
            done[name] = f"const {_variable(name)} = {json.dumps(json.loads(source), ensure_ascii=False)};\n"
            return
        for found in _IMPORT.finditer(source):
            needed = found["module"] or found["data"]
            add(needed, (*path, name))
            missing = set((found["names"] or "").split(", ")) - {""} - exported.get(needed, frozenset())
            if missing:
                raise _wrong(name, f"imports {', '.join(sorted(missing))}, which {needed} does not export")
        exported[name] = frozenset(_EXPORT.findall(source))
        done[name] = _as_function(name, source)

    add(entry, ())
    return "".join(done.values()).encode()


def _as_function(name: str, source: str) -> str:
    """A module as a function that is called at once and returns its exports."""
    body = _EXPORT.sub("", _IMPORT.sub(_taken, source))
    if left := _LEFT.search(body):
        raise _wrong(name, f"has '{left.group()}'")
    names = ", ".join(_EXPORT.findall(source))
    variable = _variable(name)
    return f"const {variable} = (function {variable[1:]}() {{\n{body}\nreturn {{ {names} }};\n}})();\n"


def _taken(found: re.Match[str]) -> str:
    if found["data"]:
        return f"const {found['whole']} = {_variable(found['data'])};"
    return f"const {{ {found['names']} }} = {_variable(found['module'])};"


def _variable(name: str) -> str:
    return "$" + re.sub(r"\W", "_", name.rpartition(".")[0])


def _read(folder: Path, name: str) -> str:
    try:
        return lean((folder / name).read_bytes(), Path(name).suffix).decode()
    except OSError as error:
        raise _wrong(name, "cannot be read") from error


def _wrong(name: str, what: str) -> BundleError:
    msg = (
        f"The window's module '{name}' {what}. Import as 'import {{ a, b }} from \"./x.mjs\";', one line each, "
        "and export functions, classes and constants where they are made."
    )
    return BundleError(msg)
