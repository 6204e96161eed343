"""Documents of all kinds -> pieces under their headings.

markdown, html, docx, pdf -> Content(title, blocks)       one file per format
blocks.py                 -> pieces of at most n characters
read.py                   -> Document values, from files, JSONL records and folders
"""
