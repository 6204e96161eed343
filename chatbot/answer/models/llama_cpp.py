"""A GGUF model in process: llama.cpp's server engine (continuous batching) behind a LangChain chat model.

llama.cpp calls back for each token; a stream here is a thread that waits in that call and a queue between.
"""

from __future__ import annotations

import os
import queue
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage, convert_to_openai_messages
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import ConfigDict

from chatbot.answer.models.gguf import GgufHeader, require_adapter, require_generator
from chatbot.answer.models.transcript import STOP, render
from chatbot.registry import prompt_of
from chatbot.settings import BUNDLED, LlamaCppModel
from knowledge.errors import ModelError

Heard = Callable[[Mapping[str, Any]], bool]
"""Takes one chunk of an answer; True stops the generation."""


class Engine(Protocol):
    """The two calls of llama.cpp's server that are used; they block until the answer is whole or stopped."""

    def handle_completions(self, request: dict[str, Any], heard: Heard, /) -> Any:
        """Continue a text."""
        ...

    def handle_chat_completions(self, request: dict[str, Any], heard: Heard, /) -> Any:
        """Answer messages, written in the model's chat template."""
        ...


class LlamaCppChat(BaseChatModel):
    """A chat model over llama.cpp's engine; safe to use from many threads."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    engine: Any
    """An Engine."""
    model: str
    """The model's name, as its file tells it."""
    instruct: bool = False
    """Whether the file carries a chat template; otherwise messages become a plain transcript."""
    prompt: str = ""
    """Form of prompt that its adapter was fine-tuned on; "" for none."""
    max_tokens: int = 256
    temperature: float = 0.0

    @property
    def _llm_type(self) -> str:
        return "llama_cpp"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model, "max_tokens": self.max_tokens, "temperature": self.temperature}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop=stop, run_manager=run_manager, **kwargs))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
        **_: Any,
    ) -> Iterator[ChatGenerationChunk]:
        request: dict[str, Any] = {
            "stream": True,
            "max_tokens": max_tokens or self.max_tokens,
            "temperature": self.temperature if temperature is None else temperature,
            "cache_prompt": True,
        }
        if self.instruct:
            request |= {"messages": convert_to_openai_messages(messages), "stop": stop or []}
            call = self.engine.handle_chat_completions
        else:
            request |= {"prompt": render(messages), "stop": [*STOP, *(stop or [])]}
            call = self.engine.handle_completions
        for chunk in _chunks(call, request):
            if run_manager is not None:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk


def open_llama_cpp(settings: LlamaCppModel, *, cache: Path, threads: int) -> LlamaCppChat:
    """Load a GGUF file (and a LoRA adapter) into llama.cpp's engine.

    Args:
        settings: Path, adapter, context and number of simultaneous answers.
        cache: The models cache; the default model is `cache / BUNDLED`.
        threads: Threads for all answers together; 0 takes the processors this process may use.

    Raises:
        ModelError: The file is missing, damaged, no generator, or refused by llama.cpp.
    """
    path = settings.path or cache / BUNDLED
    header = require_generator(path)
    if settings.adapter is not None:
        require_adapter(settings.adapter, header)
    try:
        engine = _start(path, settings, threads=threads or available_processors())
    except RuntimeError as error:
        msg = f"llama.cpp cannot load {path} ('{header.architecture}'): the file is damaged, too large for the memory, or newer than this llama.cpp. Copy it again, name another file, or update the package xllamacpp."
        raise ModelError(msg) from error
    prompt = prompt_of(settings.adapter)
    instruct = bool(header.chat_template) and not prompt
    return LlamaCppChat(engine=engine, model=_name(header, settings), instruct=instruct, prompt=prompt)


def available_processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start(path: Path, settings: LlamaCppModel, *, threads: int) -> Engine:
    import xllamacpp  # here, because it loads 60 MB of native code

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    if settings.adapter is not None:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(settings.adapter), 1.0)]
    params.n_parallel = settings.slots
    params.n_ctx = settings.context_tokens * settings.slots
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    # A window that slides cannot be rewound to the end of a shared prefix: keep all of it (37 MB for
    # 2,048 tokens of Gemma 3 270M), and switch off the copies in host memory (8 GB by default).
    params.swa_full = True
    params.n_ctx_checkpoints = 0
    params.cache_ram_mib = 0
    params.fit_params = False
    params.warmup = False
    params.verbosity = -1
    params.ui = False
    params.endpoint_slots = False
    params.endpoint_props = False
    # The engine insists on listening somewhere: a socket in a folder that only we can enter, and that is
    # unlinked at once, since we call the engine directly.
    with tempfile.TemporaryDirectory(prefix="kefu-") as folder:
        params.hostnames = [str(Path(folder) / "llama.sock")]
        engine: Engine = xllamacpp.Server(params)
    return engine


def _name(header: GgufHeader, settings: LlamaCppModel) -> str:
    return f"{header.name} + {settings.adapter.stem}" if settings.adapter else header.name


def _chunks(
    call: Callable[[dict[str, Any], Heard], Any], request: dict[str, Any]
) -> Iterator[ChatGenerationChunk]:
    """Run the blocking call in a thread; closing this generator stops it at the next token."""
    heard: queue.SimpleQueue[Mapping[str, Any] | None] = queue.SimpleQueue()
    cancelled = threading.Event()
    main = threading.main_thread()

    def on_chunk(chunk: Mapping[str, Any]) -> bool:
        heard.put(chunk)
        # Native code that still runs while Python shuts down aborts the process: stop when main is over.
        return cancelled.is_set() or not main.is_alive()

    def work() -> None:
        try:
            call(request, on_chunk)
        except Exception as error:  # carried over to the thread that reads
            heard.put({"error": {"message": str(error)}})
        finally:
            heard.put(None)

    threading.Thread(target=work, name="llama.cpp").start()
    try:
        while (piece := heard.get()) is not None:
            yield _parse(piece)
    finally:
        cancelled.set()


def _parse(piece: Mapping[str, Any]) -> ChatGenerationChunk:
    if "error" in piece:
        msg = f"llama.cpp refused to answer: {piece['error'].get('message', piece['error'])}. Shorten the prompt, or raise generation.model.context_tokens."
        raise ModelError(msg)
    choice = piece["choices"][0] if piece.get("choices") else {}
    text = choice.get("text") or (choice.get("delta") or {}).get("content") or ""
    reason = choice.get("finish_reason")
    message = AIMessageChunk(content=text, response_metadata={"finish_reason": reason} if reason else {})
    return ChatGenerationChunk(message=message)
