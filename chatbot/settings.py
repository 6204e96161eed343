"""The one settings tree: kefu.toml, overridden by KEFU__… variables.

[generation]                     KEFU__GENERATION__MODEL__KIND=openai_compatible
max_tokens = 200                 KEFU__GENERATION__MODEL__API_KEY=…      (secrets only here)
"""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from chatbot.registry import Registry, base_of
from knowledge.errors import SettingsError
from knowledge.settings import EncoderSettings, Frozen, KnowledgeSettings, RetrievalSettings, default_cache

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


class ProjectSettings(Frozen):
    """[project]: who the bot speaks for."""

    name: str = "Kefu"
    """The company, as customers know it; stands in greetings."""
    bot_name: str = "Kefu"
    folder: Path = Path()
    """Where kefu.toml lies; relative paths start here. Filled in by the loader."""
    demo: bool = False
    """The demo company: its order service is started beside the bot."""
    models_cache: Path = Field(default_factory=default_cache)
    threads: int = Field(0, ge=0)
    """Threads of the encoder and of the dialogue model each; 0 takes what the machine has."""


class LanguageSettings(Frozen):
    """[languages]."""

    default: Literal["zh", "en"] = "zh"
    """Spoken when a message does not tell (an emoji, a number) and the page did not choose."""


class UnderstandingSettings(Frozen):
    """[understanding]."""

    context_turns: int = Field(6, ge=0, le=50)
    """How many earlier turns a follow-up may refer to."""
    max_characters: int = Field(2000, ge=50)
    """Longer messages are refused with a friendly sentence."""


BUNDLED = Path("gemma-3-270m") / "gemma-3-270m-q4_k_m.gguf"
"""Where `kefu models prepare` puts the default model, below the models cache."""
GGUF_ADAPTER = "adapter.gguf"
"""What llama.cpp reads in the folder of a fine-tuned dialogue model."""


class LlamaCppModel(Frozen):
    """A GGUF file served in process by llama.cpp (continuous batching); the default."""

    kind: Literal["llama_cpp"] = "llama_cpp"
    path: Path | None = None
    """None: the bundled Gemma 3 270M, prepared by `kefu models prepare`."""
    adapter: Path | None = None
    """A LoRA adapter in GGUF form."""
    context_tokens: int = Field(2048, ge=512)
    slots: int = Field(2, ge=1, le=64)
    """Answers written at the same time."""

    @property
    def base(self) -> str:
        """The name that adapters for it were trained under."""
        return (self.path or BUNDLED).stem

    def with_adapter(self, folder: Path) -> LlamaCppModel:
        """The same with the fine-tuned adapter in a folder."""
        return self.model_copy(update={"adapter": folder / GGUF_ADAPTER})

    def open(self, *, cache: Path, threads: int) -> BaseChatModel:
        """Load it; heavy modules are imported only here."""
        from chatbot.answer.models.llama_cpp import open_llama_cpp

        return open_llama_cpp(self, cache=cache, threads=threads)


class TransformersModel(Frozen):
    """A Hugging Face folder or name, run by transformers (safetensors only, no remote code)."""

    kind: Literal["transformers"]
    model: str
    adapter: Path | None = None

    @property
    def base(self) -> str:
        """The name that adapters for it were trained under."""
        return Path(self.model).name

    def with_adapter(self, folder: Path) -> TransformersModel:
        """The same with the fine-tuned adapter in a folder."""
        return self.model_copy(update={"adapter": folder})

    def open(self, *, cache: Path, threads: int) -> BaseChatModel:  # noqa: ARG002 - one shape for all
        """Load it; heavy modules are imported only here."""
        from chatbot.answer.models.transformers import open_transformers

        return open_transformers(self, threads=threads)


class OpenAICompatibleModel(Frozen):
    """Any OpenAI-compatible server: vLLM, SGLang, Ollama, llama.cpp, a vendor."""

    kind: Literal["openai_compatible"]
    base_url: str
    model: str
    api_key: SecretStr = SecretStr("none")
    timeout_s: float = Field(8.0, gt=0)

    def open(self, *, cache: Path, threads: int) -> BaseChatModel:  # noqa: ARG002 - one shape for all
        """Load it; heavy modules are imported only here."""
        from chatbot.answer.models.openai_compatible import open_openai_compatible

        return open_openai_compatible(self)


class NoModel(Frozen):
    """No dialogue model: templates and stored answers only."""

    kind: Literal["none"]


ChatModelSettings: TypeAlias = Annotated[
    LlamaCppModel | TransformersModel | OpenAICompatibleModel | NoModel, Field(discriminator="kind")
]


class GenerationSettings(Frozen):
    """[generation]: composing an answer from passages."""

    model: ChatModelSettings = LlamaCppModel()
    max_tokens: int = Field(160, ge=8, le=4096)
    temperature: float = Field(0.0, ge=0, le=2)
    deadline_s: float = Field(8.0, gt=0)
    """Composing stops here, whatever the model does; the stored passage is shown instead."""
    passages: int = Field(3, ge=1, le=10)
    """How many passages the model reads."""
    compose_when: Literal["unsure", "always"] = "unsure"
    """unsure: sentences of a passage that clearly answer are sent word for word, in milliseconds, and the
    model writes only otherwise; always: the model writes whenever the passage is long (for large models)."""
    read_when_unsure: bool = False
    """A model that was fine-tuned to read answers what the rules are unsure of: before the bot asks back, offers an
    answer or declines. Measure it with `kefu eval chats` first: it answers more, and more of it is wrong."""


class TemplateSettings(Frozen):
    """[templates]: answer templates and the services that fill their slots."""

    webhook_base: str = ""
    """Put before webhook addresses that start with "/"; the demo's order service fills it in."""
    webhook_timeout_s: float = Field(3.0, gt=0, le=30)


class DecisionSettings(Frozen):
    """[decision]: the promise that the thresholds are fitted to."""

    risk: float = Field(0.1, ge=0.001, le=0.5)
    """Largest share of wrong ones among stored answers given, on held-out questions."""
    confidence: float = Field(0.95, ge=0.5, le=0.999)
    """Of the bound on that share."""


class HandoffSettings(Frozen):
    """[handoff]: when and how people take over."""

    hours: str = ""
    """Lines such as "Mon-Fri 09:00-18:00; Sat 10:00-16:00"; empty: always."""
    timezone: str = "Asia/Shanghai"
    contact: str = ""
    webhook: str = ""
    """Told about every handoff with a JSON POST."""


class StorageSettings(Frozen):
    """[storage]: the database, which is the truth, and the files derived from it."""

    url: str = ""
    """SQLAlchemy URL; empty: SQLite in `folder`."""
    folder: Path = Path("data")
    """Database, index and calibration, relative to the project folder."""
    busy_timeout_s: float = Field(5.0, gt=0)


class SecuritySettings(Frozen):
    """[security]: limits that are on by default."""

    max_body_bytes: int = Field(64 * 1024, ge=1024)
    messages_per_minute: int = Field(60, ge=0)
    """By conversation; 0 switches it off."""
    requests_per_minute: int = Field(600, ge=0)
    """By client address; 0 switches it off."""
    streams_per_address: int = Field(64, ge=1)
    """Answers streamed to one client address at the same time."""
    turns_per_conversation: int = Field(3, ge=1)
    """Messages of one conversation that may be under way (answered one after the other)."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses whose X-Forwarded-For is believed."""
    allowed_origins: tuple[str, ...] = ()
    """Sites whose pages may call the API from a browser."""
    redact: bool = True
    """Personal numbers are masked before anything is stored or logged."""


class PrechatField(Frozen):
    """A field of the form before the first message."""

    name: str = Field(pattern="^[a-z][a-z0-9_]{0,39}$")
    label: dict[Literal["zh", "en"], str] = Field(min_length=1)
    type: Literal["text", "email", "tel"] = "text"
    required: bool = False


class SmtpSettings(Frozen):
    """[widget.smtp]: the mail server that sends transcripts; without it customers download theirs."""

    host: str
    port: int = Field(587, ge=1, le=65535)
    sender: str
    """The address that mails come from."""
    encryption: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: SecretStr = SecretStr("")
    """KEFU__WIDGET__SMTP__PASSWORD=…"""
    timeout_s: float = Field(10.0, gt=0, le=60)


class WidgetSettings(Frozen):
    """[widget]: the chat window on other sites; which sites these are, 'kefu site' says."""

    prechat: tuple[PrechatField, ...] = ()
    """Asked before the first message, e.g. [[widget.prechat]] name = "email", type = "email"."""
    token_days: int = Field(30, ge=1, le=365)
    """A visitor who does not come back for so long begins anew."""
    sessions_per_minute: int = Field(120, ge=0)
    """By client address; 0 switches it off."""
    messages_per_site: int = Field(1200, ge=0)
    """A minute, by all visitors of a site together; 0 switches it off."""
    transcripts_per_hour: int = Field(5, ge=0)
    """Mails by visitor; 0 switches the limit off."""
    smtp: SmtpSettings | None = None


class ServerSettings(Frozen):
    """[server]."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    workers: int = Field(8, ge=1, le=256)
    """Turns answered at the same time."""
    queue: int = Field(64, ge=0)
    """Turns that may wait for a worker; more are turned away at once with 503."""
    request_timeout_s: float = Field(30.0, gt=0)
    shutdown_s: float = Field(5.0, gt=0, le=60)
    """How long open answers may finish when the server is asked to stop."""
    header_timeout_s: float = Field(10.0, gt=0, le=15)
    """A client that has not sent its request's headers by then is cut off."""
    body_timeout_s: float = Field(20.0, gt=0, le=30)
    """The same for the body, and for a client that stops reading its answer."""
    heartbeat_s: float = Field(15.0, gt=0)
    """A comment is sent on a silent stream so often, so that proxies keep it open."""
    docs: bool = True
    """Whether /docs and /openapi.json are shown."""


class Settings(BaseSettings):
    """Everything that can be set, with its default."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="KEFU__", env_nested_delimiter="__"
    )

    project: ProjectSettings = ProjectSettings()
    languages: LanguageSettings = LanguageSettings()
    knowledge: KnowledgeSettings = KnowledgeSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    understanding: UnderstandingSettings = UnderstandingSettings()
    generation: GenerationSettings = GenerationSettings()
    templates: TemplateSettings = TemplateSettings()
    decision: DecisionSettings = DecisionSettings()
    handoff: HandoffSettings = HandoffSettings()
    storage: StorageSettings = StorageSettings()
    security: SecuritySettings = SecuritySettings()
    widget: WidgetSettings = WidgetSettings()
    server: ServerSettings = ServerSettings()

    @property
    def data_folder(self) -> Path:
        """Absolute folder of the database, the index and the calibration."""
        return (self.project.folder / self.storage.folder).absolute()

    @property
    def models_folder(self) -> Path:
        """Absolute folder of the models that were trained for this project."""
        return (self.project.folder / "models").absolute()

    @property
    def retriever(self) -> Path | None:
        """The adapter over the encoder that is in force: named in the settings, or promoted."""
        return self.knowledge.encoder.adapter or Registry(self.models_folder).promoted("retriever")

    @property
    def encoder(self) -> EncoderSettings:
        """The encoder with the adapter in force."""
        return self.with_retriever(self.retriever).knowledge.encoder

    @property
    def dialogue_model(self) -> ChatModelSettings:
        """The dialogue model with the adapter in force: named in the settings, or promoted and trained for this model."""
        model = self.generation.model
        if not isinstance(model, LlamaCppModel | TransformersModel) or model.adapter is not None:
            return model
        folder = Registry(self.models_folder).promoted("dialogue")
        return model.with_adapter(folder) if folder and base_of(folder) in ("", model.base) else model

    def with_retriever(self, adapter: Path | None) -> Settings:
        """These settings with that adapter over the encoder."""
        encoder = self.knowledge.encoder.model_copy(update={"adapter": adapter})
        return self.model_copy(update={"knowledge": self.knowledge.model_copy(update={"encoder": encoder})})

    @property
    def search_folder(self) -> Path:
        """Absolute folder of what is derived with the retriever in force: index and calibration."""
        adapter = self.retriever
        return self.data_folder / "retriever" / adapter.name if adapter else self.data_folder

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the store."""
        return self.storage.url or f"sqlite:///{self.data_folder / 'kefu.db'}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables win over the file (which comes in as init values)."""
        return env_settings, init_settings


def load_settings(folder: Path | None = None) -> Settings:
    """Read kefu.toml in `folder` (default: $KEFU_PROJECT, else the working folder); defaults without one.

    Raises:
        SettingsError: Not TOML, an unknown key (with the nearest known one), or a value out of range.
    """
    folder = folder or Path(os.environ.get("KEFU_PROJECT", "."))
    path = folder / "kefu.toml"
    try:
        tables: dict[str, Any] = tomllib.loads(path.read_text("utf-8")) if path.exists() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path} is not valid TOML: {error}. Correct that line; 'kefu init' writes a sample to compare with."
        raise SettingsError(msg) from error
    tables.setdefault("project", {})
    if isinstance(tables["project"], dict):
        tables["project"].setdefault("folder", folder)
    try:
        return Settings(**tables)
    except ValidationError as error:
        raise SettingsError(_explain(error, path)) from error


def _explain(error: ValidationError, path: Path) -> str:
    problem = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    count = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if problem["type"] == "extra_forbidden":
        known = _known_keys()
        near = difflib.get_close_matches(where, known, n=1) or difflib.get_close_matches(
            where.rsplit(".", 1)[-1], known, n=1
        )
        hint = f"Did you mean '{near[0]}'?" if near else f"Known tables: {', '.join(Settings.model_fields)}."
        return f"Unknown setting '{where}' in {path}{count}. {hint}"
    return f"Setting '{where}' in {path} is wrong: {problem['msg']}, got {problem['input']!r}{count}. Correct it there, or in its KEFU__ variable."


def _known_keys() -> list[str]:
    keys: list[str] = []
    for table, field in Settings.model_fields.items():
        keys.append(table)
        annotation: Any = field.annotation
        keys += [f"{table}.{name}" for name in annotation.model_fields]
    return keys
