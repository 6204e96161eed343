"""Parts of the chat page: its texts, its style, and how turns become messages."""
