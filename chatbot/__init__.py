"""UNDERSTAND -> DECIDE -> ANSWER | HANDOFF -> RECORD: one customer message, start to end."""
