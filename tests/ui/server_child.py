"""Serves, in a process of its own, a bot that does what each message says: {"pieces": 4, "piece_s": 0.1}."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from server_fakes import FakeService, ObedientBot, made_settings

from ui.server.app import create_app
from ui.server.run import serve

if __name__ == "__main__":
    tables = json.loads(sys.argv[1])
    service = FakeService()
    service.bot = ObedientBot(service)  # type: ignore[assignment]
    settings = made_settings(**{**tables, "server": {"port": 0, **tables.get("server", {})}})
    serve(create_app(service, settings=settings), settings)
