"""The chat window on other sites: its files, its visitors' tokens, and the API that only it uses.

host.py       what the routes share          origins.py   which pages may call
files.py      loader, frame, assets          tokens.py    who a visitor is
session.py    POST /api/widget/session       identity.py  who a site says its user is
visits.py     everything else under /api/widget
"""
