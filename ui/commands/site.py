"""kefu site: where the chat window may be shown, which bot answers there, and the keys that sign users in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from ui.terminal import out, print_json, talk

if TYPE_CHECKING:
    from chatbot.settings import Settings
    from chatbot.sites.site import Site, SiteKey
    from chatbot.sites.store import SiteStore

app = typer.Typer(no_args_is_help=True, help="Sites that show the chat window, and their signing keys.")
keys = typer.Typer(no_args_is_help=True, help="Keys that a site's server signs its users' identities with.")
app.add_typer(keys, name="key")

SiteId = Annotated[str, typer.Argument(help="The site's public id.")]
Origins = Annotated[
    list[str] | None,
    typer.Option("--origin", help="Scheme and host of its pages, e.g. https://help.shop.example; repeat it."),
]
BotFolder = Annotated[
    str | None,
    typer.Option("--bot", help="Project folder of the bot that answers; '' for this project's own."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, write nothing.")]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="As you will recognise it, e.g. 'Help centre'.")],
    *,
    origin: Origins = None,
    bot: BotFolder = None,
    site_id: Annotated[str | None, typer.Option("--id", help="Public id; else made from the name.")] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Add a site and print the line to paste into its pages."""
    from chatbot.sites.site import Site, checked_site, id_from

    settings, store = _open()
    number = site_id or id_from(name, [site.id for site in store.sites()])
    site = checked_site(Site(number, name, tuple(origin or ()), _bot_folder(settings, bot)))
    site = site if dry_run else store.add(site)
    _print(settings, site, (), as_json=as_json)
    if not dry_run:
        _advise(site, new_bot=bool(site.bot))


@app.command("list")
def list_sites(*, as_json: Json = False) -> None:
    """Show all sites."""
    _, store = _open()
    sites = store.sites()
    if as_json:
        print_json([_shown(site) for site in sites])
        return
    if not sites:
        talk.print(
            "There is no site yet. Add one: kefu site add 'Help centre' --origin https://help.shop.example"
        )
        return
    table = Table(*(Column(name, overflow="fold") for name in ("id", "name", "origins", "bot")), box=None)
    for site in sites:
        table.add_row(site.id, escape(site.name), "\n".join(site.origins), escape(site.bot) or "[dim]own[/]")
    out.print(table)


@app.command()
def show(site_id: SiteId, *, as_json: Json = False) -> None:
    """Show one site, its keys (never their secrets), and the line for its pages."""
    settings, store = _open()
    site = store.site(site_id)
    _print(settings, site, store.keys(site.id), as_json=as_json)


@app.command()
def edit(
    site_id: SiteId,
    *,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    origin: Origins = None,
    no_origin: Annotated[
        list[str] | None, typer.Option("--no-origin", help="Take this origin off the list; repeat it.")
    ] = None,
    bot: BotFolder = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Change a site: --origin adds one, --no-origin takes one away; a running server follows in seconds."""
    from chatbot.sites.site import Site, SiteError, checked_origin, checked_site

    settings, store = _open()
    before = store.site(site_id)
    gone = {checked_origin(one) for one in no_origin or ()}
    if strange := gone - set(before.origins):
        msg = f"The site '{site_id}' has no origin {', '.join(sorted(strange))}. Its origins: {', '.join(before.origins)}."
        raise SiteError(msg)
    origins = [one for one in before.origins if one not in gone] + list(origin or ())
    folder = before.bot if bot is None else _bot_folder(settings, bot)
    site = checked_site(Site(before.id, name or before.name, tuple(origins), folder))
    site = site if dry_run else store.replace(site)
    _print(settings, site, store.keys(site.id), as_json=as_json)
    if not dry_run:
        _advise(site, new_bot=site.bot not in ("", before.bot))


@app.command()
def remove(site_id: SiteId, *, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Remove a site with its keys; its visitors' tokens end, what they said stays in the bot's records."""
    _, store = _open()
    site = store.site(site_id)
    if not dry_run:
        store.remove(site.id)
    if as_json:
        print_json({"removed": _shown(site), "dry_run": dry_run})
    else:
        talk.print(f"{'Would remove' if dry_run else 'Removed'} the site '{site.id}' ({escape(site.name)}).")


@keys.command("add")
def add_key(
    site_id: SiteId,
    *,
    kid: Annotated[str, typer.Option(help="Name of the key; else a random one.")] = "",
    as_json: Json = False,
) -> None:
    """Make a key and print its secret, once: put both into your server's configuration."""
    _, store = _open()
    key = store.add_key(site_id, kid)
    if as_json:
        print_json({"site": key.site_id, "kid": key.kid, "secret": key.secret})
        return
    out.print(f"kid:    {escape(key.kid)}")
    out.print(f"secret: {escape(key.secret)}")
    talk.print("The secret is not shown again. Keep it on your server; it must never reach a browser.")


@keys.command("remove")
def remove_key(
    site_id: SiteId,
    kid: Annotated[str, typer.Argument(help="Name of the key.")],
    *,
    after_hours: Annotated[
        float, typer.Option(min=0, help="Let it be good for so long beside the new one.")
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """End a key, at once or after an overlap in which both are good."""
    _, store = _open()
    store.site(site_id)
    ends = datetime.now(UTC) + timedelta(hours=after_hours) if after_hours else None
    store.remove_key(site_id, kid, expires_at=ends)
    if as_json:
        print_json({"site": site_id, "kid": kid, "expires_at": ends})
    else:
        when = f"ends at {ends:%Y-%m-%d %H:%M} UTC" if ends else "ended"
        talk.print(f"The key '{escape(kid)}' of the site '{site_id}' {when}.")


def add_demo_site(settings: Settings) -> None:
    """The demo's site, unless it is there; its pages are this server's own."""
    from chatbot.assemble import open_sites
    from chatbot.sites.site import Site

    store, port = open_sites(settings), settings.server.port
    if not any(site.id == DEMO for site in store.sites()):
        own = tuple(f"http://{host}:{port}" for host in ("127.0.0.1", "localhost") if port)
        store.add(Site(DEMO, f"{settings.project.name} help centre", own))


DEMO = "demo"


def _open() -> tuple[Settings, SiteStore]:
    from chatbot.assemble import open_sites
    from chatbot.settings import load_settings

    settings = load_settings()
    return settings, open_sites(settings)


def _bot_folder(settings: Settings, folder: str | None) -> str:
    """Its absolute path; "" for the project's own bot."""
    from chatbot.sites.site import SiteError

    if not folder:
        return ""
    path = Path(folder).resolve()
    if not (path / "kefu.toml").exists():
        msg = f"There is no kefu.toml in {path}. Name the bot's project folder, or make one with 'kefu init {folder}'."
        raise SiteError(msg)
    return "" if path == settings.project.folder.resolve() else str(path)


def _shown(site: Site) -> dict[str, Any]:
    return {"id": site.id, "name": site.name, "origins": list(site.origins), "bot": site.bot}


def _shown_key(key: SiteKey) -> dict[str, Any]:
    return {"kid": key.kid, "created_at": key.created_at, "expires_at": key.expires_at}


def _print(settings: Settings, site: Site, known: Any, *, as_json: bool) -> None:
    address = f"http://{settings.server.host}:{settings.server.port}"
    line = f'<script async src="{address}/widget.js" data-bot="{site.id}"></script>'
    if as_json:
        print_json({**_shown(site), "keys": [_shown_key(key) for key in known], "snippet": line})
        return
    out.print(f"[dim]id:[/]      {site.id}")
    out.print(f"[dim]name:[/]    {escape(site.name)}")
    out.print(f"[dim]origins:[/] {', '.join(site.origins) or 'none but this server itself'}")
    out.print(f"[dim]bot:[/]     {escape(site.bot) or 'this project'}")
    for key in known:
        until = f", good until {key.expires_at:%Y-%m-%d %H:%M} UTC" if key.expires_at else ""
        out.print(f"[dim]key:[/]     {escape(key.kid)}, made {key.created_at:%Y-%m-%d}{until}")
    out.print(f"[dim]line:[/]    {escape(line)}")


def _advise(site: Site, *, new_bot: bool) -> None:
    if not site.origins:
        talk.print(
            "No page of another server may show it yet. Allow one: kefu site edit "
            f"{site.id} --origin https://help.shop.example"
        )
    if new_bot:
        talk.print(
            "[bold]Start the server again[/] (stop 'kefu serve', then start it): it opens the bots of its sites when it "
            f"starts, and until then the window says that the bot in {escape(site.bot)} does not run yet."
        )
    else:
        talk.print("A server that runs already follows within seconds.")
