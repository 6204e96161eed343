"""kefu serve and kefu demo: the server."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ui.terminal import Report, progress_bars, talk

if TYPE_CHECKING:
    from chatbot.assemble import Models, Service
    from chatbot.settings import Settings
    from ui.server.widget.host import WidgetSetup

Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Instead of server.port.")]
Host = Annotated[
    str | None, typer.Option(help="Instead of server.host; 0.0.0.0 listens to other machines too.")
]


def serve(
    *,
    host: Host = None,
    port: Port = None,
    no_calibrate: Annotated[
        bool, typer.Option("--no-calibrate", help="Start at once, also when the thresholds do not fit.")
    ] = False,
) -> None:
    """Start the chat page and the HTTP API; Ctrl-C stops them gracefully."""
    from chatbot.settings import load_settings

    _run(_listening(load_settings(), host, port), calibrate=not no_calibrate)


def demo(
    folder: Annotated[Path, typer.Argument(help="Where the demo's project is kept.")] = Path(".demo"),
    *,
    host: Host = None,
    port: Port = None,
) -> None:
    """Start the demo company's bot: made at the first start, opened again at later ones."""
    from chatbot.settings import load_settings
    from ui.commands.init import write_project
    from ui.commands.site import add_demo_site

    if not (folder / "kefu.toml").exists():
        write_project(folder, demo=True)
    os.environ["KEFU_PROJECT"] = str(folder)
    settings = load_settings(folder)
    with progress_bars() as report:
        prepare_demo(settings, progress=report)
    settings = _listening(settings, host, port)
    add_demo_site(settings)
    _run(settings, calibrate=True)


def prepare_demo(settings: Settings, *, progress: Report) -> None:
    """Import the demo's knowledge, unless that was done before; its thresholds come with it."""
    from chatbot.assemble import open_knowledge
    from chatbot.calibrations import calibration_path, shipped_calibration
    from chatbot.decide.thresholds import save_calibration
    from ui.commands.imports import import_all

    store = open_knowledge(settings)
    if not store.counts()["faqs"]:
        import_all(store, settings.project.folder, settings=settings, progress=progress)
        save_calibration(shipped_calibration(settings), calibration_path(settings))


def _listening(settings: Settings, host: str | None, port: int | None) -> Settings:
    changes = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    return settings.model_copy(update={"server": settings.server.model_copy(update=changes)})


def _run(settings: Settings, *, calibrate: bool) -> None:
    from ui.server.run import serve as run_server

    logging.getLogger().setLevel(logging.INFO)
    with ExitStack() as stack, progress_bars() as report:
        with _everything_lasts():
            settings = stack.enter_context(with_order_service(settings, today=datetime.now(UTC).date()))
            service = stack.enter_context(running_service(settings, calibrate=calibrate, progress=report))
            widget = stack.enter_context(
                hosted_widget(service, settings, calibrate=calibrate, progress=report)
            )
            app = make_app(service, settings, widget)
        address = f"http://{settings.server.host}:{settings.server.port}"
        talk.print(
            f"[bold]{settings.project.bot_name}[/] is at [link={address}]{address}[/] · API at {address}/docs · Ctrl-C stops it"
        )
        if settings.project.demo:
            talk.print(
                f"The demo's help centre, with the chat window on it: [link={address}/site/]{address}/site/[/]"
            )
        run_server(app, settings)


@contextmanager
def _everything_lasts() -> Iterator[None]:
    """For a start: what is made stays, so looking for garbage meanwhile is in vain (1 s of a start), and looking
    through it at every full collection later would stop all answers for a tenth of a second.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


@contextmanager
def with_order_service(settings: Settings, *, today: date | None = None) -> Iterator[Settings]:
    """For the demo, start its order service and tell the templates where it is.

    Args:
        settings: Of the project.
        today: The day that the service's dates are moved on to; None leaves them as written, so that what is
            measured can be measured again.
    """
    if not settings.project.demo or settings.templates.webhook_base:
        yield settings
        return
    from ui.orders import AS_OF, running_order_service

    with running_order_service(today=today or AS_OF) as base:
        templates = settings.templates.model_copy(update={"webhook_base": base})
        yield settings.model_copy(update={"templates": templates})


@contextmanager
def running_service(
    settings: Settings, *, calibrate: bool, progress: Report, models: Models | None = None
) -> Iterator[Service]:
    """The assembled chatbot, following edits of its knowledge; with the models of another one where they are given."""
    from chatbot.assemble import open_service
    from chatbot.fitting import calibrate_if_stale

    done = calibrate_if_stale(settings, progress=progress) if calibrate else ""
    if done:
        talk.print(done)
    service = open_service(settings, progress=progress, models=models)
    try:
        yield service
    finally:
        service.close()


@contextmanager
def hosted_widget(
    service: Service, settings: Settings, *, calibrate: bool, progress: Report
) -> Iterator[WidgetSetup]:
    """The sites of the project, and a bot for each project folder that they name."""
    from chatbot.assemble import open_sites, open_visitors
    from chatbot.guests import guest_settings
    from ui.server.widget.host import HostedBot, WidgetSetup

    sites = open_sites(settings)
    hosted = [service]
    bots = {"": HostedBot(service, settings, service.remarks)}
    with ExitStack() as stack:
        for folder in sorted({site.bot for site in sites.sites()} - {""}):
            own = guest_settings(Path(folder), beside=hosted)
            opened = running_service(own, calibrate=calibrate, progress=progress, models=service.models)
            guest = stack.enter_context(opened)
            hosted.append(guest)
            bots[folder] = HostedBot(guest, guest.settings, guest.remarks)
        yield WidgetSetup(sites, open_visitors(settings), bots)


def make_app(service: Service, settings: Settings, widget: WidgetSetup | None = None) -> Any:
    """The HTTP API with the chat page at its root."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before gradio is imported: nothing is sent anywhere
    from ui.page.loading import load_gradio

    gr = load_gradio()
    from ui.chat_page import build_page, favicon, style, theme
    from ui.server.app import create_app
    from ui.server.ports import Mounted

    page = build_page(service)

    def attach(app: Any) -> None:
        gr.mount_gradio_app(
            app,
            page,
            path="/",
            theme=theme(),
            css=style(),
            favicon_path=favicon(),
            show_error=False,
            footer_links=[],
            ssr_mode=False,
        )

    return create_app(service, settings=settings, mounts=(Mounted("/", attach),), widget=widget)
