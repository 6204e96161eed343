"""Vector indexes derived from the database."""
