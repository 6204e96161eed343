"""LEARN: offline; reads an export, writes a model folder."""
