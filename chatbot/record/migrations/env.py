"""Runs the migrations on the connection that `chatbot.record.migrate.upgrade` holds locked."""

from __future__ import annotations

from alembic import context

import chatbot.record.tables
import chatbot.sites.tables  # noqa: F401 - their tables join the shared metadata
from knowledge.tables import metadata

# The caller's transaction holds all revisions together: all of them or none, in SQLite too.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
