"""Chat models, each a langchain-core BaseChatModel that streams."""
