"""DOORS: command line, HTTP API, chat page."""
