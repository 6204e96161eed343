"""Readers of what companies have: FAQ tables, documents, intents, chat logs."""
