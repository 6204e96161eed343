"""A Hugging Face folder or name as chat model, run by transformers; safetensors only, no remote code."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage, convert_to_openai_messages
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import ConfigDict

from chatbot.answer.models.transcript import STOP, render
from chatbot.registry import prompt_of
from chatbot.settings import TransformersModel
from knowledge.errors import ModelError


class TransformersChat(BaseChatModel):
    """A chat model over transformers; answers are written one at a time."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    network: Any
    """A causal language model in evaluation mode."""
    tokenizer: Any
    model: str
    prompt: str = ""
    """Form of prompt that its adapter was fine-tuned on; "" for none."""
    max_tokens: int = 256
    temperature: float = 0.0
    turn: Any = None
    """Lock: torch gains nothing from two answers at once on the same cores."""

    def model_post_init(self, context: Any, /) -> None:
        """Make the lock."""
        super().model_post_init(context)
        self.turn = threading.Lock()

    @property
    def _llm_type(self) -> str:
        return "transformers"

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
        prompt, stops = self._prompt(messages)
        heat = self.temperature if temperature is None else temperature
        options: dict[str, Any] = {"max_new_tokens": max_tokens or self.max_tokens, "do_sample": heat > 0}
        options |= {"temperature": heat} if heat > 0 else {"temperature": None, "top_p": None, "top_k": None}
        with self.turn:
            for text in _until(self._pieces(prompt, options), [*stops, *(stop or [])]):
                chunk = ChatGenerationChunk(message=AIMessageChunk(content=text))
                if run_manager is not None:
                    run_manager.on_llm_new_token(text, chunk=chunk)
                yield chunk

    def _prompt(self, messages: list[BaseMessage]) -> tuple[Any, list[str]]:
        """Token ids (1, n), and where to stop."""
        if self.tokenizer.chat_template and not self.prompt:
            ids = self.tokenizer.apply_chat_template(
                convert_to_openai_messages(messages),
                add_generation_prompt=True,
                return_tensors="pt",
                return_dict=True,
            )
            return ids, []
        return self.tokenizer(render(messages), return_tensors="pt"), list(STOP)

    def _pieces(self, prompt: Any, options: dict[str, Any]) -> Iterator[str]:
        """Text as it is written; closing this generator stops the network at the next token."""
        import torch
        from transformers import StoppingCriteria, StoppingCriteriaList, TextIteratorStreamer

        cancelled = threading.Event()
        failed: list[BaseException] = []

        class Cancelled(StoppingCriteria):  # type: ignore[misc]
            def __call__(self, input_ids: Any, *_: Any, **__: Any) -> Any:
                return torch.full((input_ids.shape[0],), cancelled.is_set(), device=input_ids.device)

        streamer = TextIteratorStreamer(self.tokenizer, skip_prompt=True, skip_special_tokens=True)

        def work() -> None:
            try:
                with torch.inference_mode():
                    self.network.generate(
                        **prompt.to(self.network.device),
                        streamer=streamer,
                        stopping_criteria=StoppingCriteriaList([Cancelled()]),
                        **options,
                    )
            except Exception as error:
                failed.append(error)
            finally:
                streamer.on_finalized_text("", stream_end=True)

        worker = threading.Thread(target=work, name="transformers", daemon=True)
        worker.start()
        try:
            yield from streamer
        finally:
            cancelled.set()
            worker.join()
        if failed:
            msg = f"{self.model} could not answer: {failed[0]}. Shorten the prompt, or use another model."
            raise ModelError(msg) from failed[0]


def open_transformers(settings: TransformersModel, *, threads: int) -> TransformersChat:
    """Load a causal language model and its tokenizer.

    Args:
        settings: A folder (or a hub name where a hub can be reached) and a PEFT adapter folder.
        threads: Threads of torch; 0 leaves torch's choice.

    Raises:
        ModelError: Nothing there, no safetensors, no causal language model, or the adapter does not fit.
    """
    _look(settings.model)
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if threads:
        torch.set_num_threads(threads)
    safe = {"trust_remote_code": False, "use_safetensors": True}
    try:
        tokenizer = AutoTokenizer.from_pretrained(settings.model, trust_remote_code=False)
        network: Any = AutoModelForCausalLM.from_pretrained(settings.model, dtype=_precision(), **safe)
        if settings.adapter is not None:
            network.load_adapter(str(settings.adapter), adapter_kwargs={"use_safetensors": True})
    except Exception as error:
        problem = str(error).strip().splitlines() or [type(error).__name__]
        what = f"{settings.model} + {settings.adapter}" if settings.adapter else settings.model
        msg = f"transformers cannot load {what}: {problem[0]} Name a folder with config.json, a tokenizer and *.safetensors; adapters need the package peft."
        raise ModelError(msg) from error
    if torch.cuda.is_available():
        network = network.to("cuda")
    return TransformersChat(
        network=network.eval(),
        tokenizer=tokenizer,
        model=Path(settings.model).name,
        prompt=prompt_of(settings.adapter),
    )


def _look(model: str) -> None:
    """Refuse what can be refused before torch is loaded."""
    folder = Path(model)
    if not folder.exists():
        if model.count("/") == 1 and not model.startswith((".", "/", "~")):
            return  # a hub name
        msg = f"There is no model folder {model}. Correct generation.model.model."
        raise ModelError(msg)
    config = folder / "config.json"
    if not config.is_file():
        msg = f"{model} has no config.json, so it is no Hugging Face model. Name the folder that holds it."
        raise ModelError(msg)
    if not any(folder.glob("*.safetensors")):
        msg = f"{model} has no *.safetensors file; other weight files can run code and are not loaded. Save the model again with save_pretrained()."
        raise ModelError(msg)
    try:
        architectures = json.loads(config.read_text("utf-8")).get("architectures") or []
    except (ValueError, AttributeError) as error:
        msg = f"{config} is damaged: {error}. Copy the model again."
        raise ModelError(msg) from error
    if architectures and not any(
        name.endswith(("LMHeadModel", "ForCausalLM", "ForConditionalGeneration")) for name in architectures
    ):
        msg = f"{model} is a {architectures[0]}, which cannot write text. Name a causal language model."
        raise ModelError(msg)


def _precision() -> Any:
    """bfloat16 where the hardware has it; elsewhere it is up to 100 times slower than float32."""
    import torch

    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32


def _until(pieces: Iterator[str], stops: list[str]) -> Iterator[str]:
    """The pieces up to the first stop word, which is held back even when it arrives in parts."""
    held = ""
    longest = max((len(stop) for stop in stops), default=0)
    for piece in pieces:
        held += piece
        cut = min((at for stop in stops if (at := held.find(stop)) >= 0), default=-1)
        if cut >= 0:
            if held[:cut]:
                yield held[:cut]
            return
        ready = len(held) - longest + 1 if longest else len(held)
        if ready > 0:
            yield held[:ready]
            held = held[ready:]
    if held:
        yield held
