"""Suites of measurements: what to run, what changed, and the page that shows it."""
