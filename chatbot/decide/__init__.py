"""DECIDE: a pure policy over calibrated probabilities."""
