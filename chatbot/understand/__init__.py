"""UNDERSTAND: language, follow-ups made standalone, intent, slots, sentiment."""
