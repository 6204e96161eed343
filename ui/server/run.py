"""Running the server, and stopping it: nothing acknowledged is lost, and it never takes longer than said.

first SIGTERM or Ctrl-C   no new connections and turns; streams get `bye`; running turns finish
shutdown_s later          what still runs is cut and stored as interrupted; exit 0
1 s later                 whatever hangs, the process ends; exit 0
second signal             it ends at once
"""

from __future__ import annotations

import logging
import math
import os
import socket
import sys
import threading
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from chatbot.settings import Settings
from knowledge.errors import SettingsError
from ui.server.app import context_of
from ui.server.connection import guarded
from ui.server.logs import configure_logs

log = structlog.get_logger(__name__)

_CUT_BEFORE_S = 0.5
"""Cut turns get this long to be stored before the server ends."""
_SWITCH_INTERVAL_S = 0.001
"""The event loop competes with busy worker threads for the interpreter; at Python's 5 ms each of its steps
would wait for up to 5 ms a thread."""


def serve(app: FastAPI, settings: Settings) -> None:
    """Serve until a signal comes; returns when all is done, and the process should end then.

    Raises:
        SettingsError: The address cannot be used.
    """
    configure_logs()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    listener = listen(settings)
    server = GracefulServer(app, settings)
    host, port = listener.getsockname()[:2]
    log.info("server.started", url=f"http://{host}:{port}", workers=settings.server.workers)
    server.run(sockets=[listener])
    busy = context_of(app).close(wait_s=_CUT_BEFORE_S)
    log.info("server.stopped", abandoned_turns=busy)
    if busy:
        _leave(0)  # their threads may sit in native code, which must not see the interpreter go


class GracefulServer(uvicorn.Server):
    """uvicorn with the stop described above."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        self._closing = context_of(app).closing
        self._shutdown_s = settings.server.shutdown_s
        super().__init__(
            uvicorn.Config(
                app,
                http=guarded(settings.server),
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # the app does it, for `trusted_proxies` only
                timeout_graceful_shutdown=math.ceil(self._shutdown_s),
            )
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler
        """Stop well on the first signal, at once on the second.

        The signal is not kept for raising it again as uvicorn does: a stop that went well exits with 0.
        """
        if self.should_exit:
            _leave(128 + sig)
        self.should_exit = True
        watchdog = threading.Timer(self._shutdown_s + 0.8, _leave, (0,))
        watchdog.daemon = True
        watchdog.start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say bye, let the turns finish, then close."""
        log.info("server.stopping", shutdown_s=self._shutdown_s)
        self._closing.ask(cut_after_s=max(0.1, self._shutdown_s - _CUT_BEFORE_S))
        await super().shutdown(sockets)


def listen(settings: Settings) -> socket.socket:
    """The socket of the server's address.

    Raises:
        SettingsError: The address cannot be used.
    """
    host, port = settings.server.host, settings.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        msg = (
            f"The server cannot listen on {host}:{port}: {error.strerror or error}. "
            "Stop the program that uses it, or set server.port (or --port) to another one."
        )
        raise SettingsError(msg) from error
    return listener


def _leave(code: int) -> None:
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
