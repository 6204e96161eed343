"""From what was said and what is known to datasets: read, clean, pair, ground, split, vary, write."""
