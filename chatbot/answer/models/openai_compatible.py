"""Any OpenAI-compatible server as chat model: vLLM, SGLang, Ollama, llama.cpp's own, a vendor."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chatbot.settings import OpenAICompatibleModel
from knowledge.errors import ModelError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


def open_openai_compatible(settings: OpenAICompatibleModel) -> BaseChatModel:
    """A client of the server; nothing is sent before the first answer.

    There are no retries: a customer waits, and the stored answer is at hand.

    Raises:
        ModelError: The address is no http(s) address, or langchain-openai is not installed.
    """
    parts = urlsplit(settings.base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        msg = f"generation.model.base_url is '{settings.base_url}', which is no web address. Write it whole, e.g. http://localhost:8000/v1."
        raise ModelError(msg)
    try:
        from langchain_openai import ChatOpenAI
    except ImportError as error:
        msg = "generation.model.kind is 'openai_compatible', but the package langchain-openai is not installed. Run pip install 'kefu[openai]'."
        raise ModelError(msg) from error
    client: BaseChatModel = ChatOpenAI(
        model=settings.model,
        base_url=settings.base_url,
        api_key=settings.api_key,
        timeout=settings.timeout_s,
        max_retries=0,
        stream_usage=False,
        use_responses_api=False,
    )
    return client
