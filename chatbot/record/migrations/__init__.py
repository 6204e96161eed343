"""Alembic migrations; run by `chatbot.record.migrate.upgrade`."""
