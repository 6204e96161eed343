"""HANDOFF: bring in a person."""
