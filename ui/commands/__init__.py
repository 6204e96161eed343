"""One file a command; each is a thin layer over plain functions."""
