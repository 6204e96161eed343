"""Logs are events: one JSON object a line, or coloured lines on a terminal; never what a customer wrote."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_LONGEST = 2000
_NOISY = ("uvicorn", "uvicorn.error", "httpx", "httpcore", "asyncio")


def configure_logs(stream: TextIO | None = None, *, level: int = logging.INFO) -> None:
    """Send all logs, structlog's and the standard library's, to `stream` (default: stderr).

    Does nothing where structlog was configured before: the program around us knows better.
    """
    if structlog.is_configured():
        return
    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(stream)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _renderers(stream: TextIO) -> list[Processor]:
    if stream.isatty():
        return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    # dict_tracebacks would write local variables, and with them what the customer wrote.
    return [
        structlog.processors.format_exc_info,
        _shorten,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]


def _shorten(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:  # noqa: ARG001 - structlog's shape
    """Cut what is too long, keeping the end of a traceback, where the error is."""
    for key, value in event.items():
        if isinstance(value, str) and len(value) > _LONGEST:
            event[key] = f"…{value[-_LONGEST:]}" if key == "exception" else f"{value[:_LONGEST]}…"
    return event
