"""RECORD: what is acknowledged is stored."""
