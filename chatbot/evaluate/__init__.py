"""MEASURE: how good understanding, answers and dialogue are, on files with known results.

Calculation only; `kefu eval` is the door.
"""
