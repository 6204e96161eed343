"""/docs: the API on one page, written by the server, without scripts and without anything from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """
body{font:16px/1.6 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#1f2937;background:#fff}
h2{margin-top:2.5rem;border-bottom:1px solid #d1d5db}code,pre{font:14px/1.5 ui-monospace,monospace}
pre{background:#f3f4f6;padding:.75rem;border-radius:.5rem;overflow:auto}summary{cursor:pointer;padding:.4rem 0}
b.m{display:inline-block;min-width:3.6rem;color:#0f766e}td{padding:.2rem 1rem .2rem 0;vertical-align:top}
@media(prefers-color-scheme:dark){body{color:#e5e7eb;background:#111827}pre{background:#1f2937}b.m{color:#5eead4}}
"""


def docs_page(schema: Mapping[str, Any]) -> bytes:
    """The page for an OpenAPI document."""
    info = schema["info"]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width,initial-scale=1'>",
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style>",
        f"<h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>",
        f"<p>{escape(info.get('description', ''))} ",
        "For programs: <a href='openapi.json'>openapi.json</a>.</p>",
        *_operations(schema),
        "<h2>Shapes</h2>",
        *_shapes(schema),
    ]
    return "".join(parts).encode()


def _operations(schema: Mapping[str, Any]) -> Iterator[str]:
    tag = None
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            first = (operation.get("tags") or ["other"])[0]
            if first != tag:
                tag = first
                yield f"<h2>{escape(first)}</h2>"
            yield f"<details><summary><b class=m>{method.upper()}</b><code>{escape(path)}</code></summary>"
            yield f"<p>{escape(operation.get('description', ''))}</p>"
            yield from _parameters(operation)
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if body:
                yield f"<p>Body: <code>{escape(_name(body['schema']))}</code></p>"
            yield from _answers(operation)
            yield "</details>"


def _parameters(operation: Mapping[str, Any]) -> Iterator[str]:
    if operation.get("parameters"):
        yield "<table>"
        for item in operation["parameters"]:
            need = "required" if item.get("required") else "optional"
            yield f"<tr><td><code>{escape(item['name'])}</code><td>{escape(item['in'])}<td>{need}"
        yield "</table>"


def _answers(operation: Mapping[str, Any]) -> Iterator[str]:
    yield "<table>"
    for status, answer in operation.get("responses", {}).items():
        for kind, content in (answer.get("content") or {"": {}}).items():
            name = _name(content.get("schema", {}))
            yield f"<tr><td>{escape(status)}<td>{escape(kind)}<td><code>{escape(name)}</code>"
    yield "</table>"


def _shapes(schema: Mapping[str, Any]) -> Iterator[str]:
    for name, shape in sorted(schema.get("components", {}).get("schemas", {}).items()):
        fields = {key: _name(value) for key, value in shape.get("properties", {}).items()}
        text = json.dumps(fields, indent=2, ensure_ascii=False)
        yield f"<details id='{escape(name)}'><summary><code>{escape(name)}</code></summary>"
        yield f"<p>{escape(shape.get('description', ''))}</p><pre>{escape(text)}</pre></details>"


def _name(schema: Mapping[str, Any]) -> str:
    """A type in a few words: "string or null", "array of ShownTurn"."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(_name(option) for option in schema[key])
    if "enum" in schema or "const" in schema:
        return " | ".join(json.dumps(value) for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"array of {_name(schema.get('items', {}))}"
    return str(schema.get("type", "any"))
