"""`doorstep keys`: the master keys, which wrap the keys of personal data. They change while the system runs."""

from os import urandom
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.each_service import ServiceArgument, for_each
from services.cli.processes import part_of
from services.embedded import PARTS
from shared import keyring, keys, rotation
from shared.cli.opening import require_database
from shared.cli.options import DataOption, JsonOption, KeysOption, given
from shared.cli.output import Exit, err, fail, out, print_json
from shared.clock import monotonic_seconds
from shared.errors import CannotRun
from shared.keyring import Keyring
from shared.rotation import Usage
from shared.runtime import Runtime
from shared.sealing import KEY_BYTES, key_id
from shared.settings import Settings
from shared.vault import BEFORE

app = typer.Typer(no_args_is_help=True, help="The master keys of personal data: see them, change them.")


def register(program: typer.Typer) -> None:
    program.add_typer(app, name="keys")


@app.command("status")
def show_status(
    service: ServiceArgument = None, data: DataOption = None, keys_dir: KeysOption = None, as_json: JsonOption = False
) -> None:
    """Which master key wraps what, service by service, and which may go. Exit 1 where a needed key is missing."""
    ring = _ring(data, keys_dir)
    found = for_each(
        service,
        given(data_dir=data, keys_dir=keys_dir),
        lambda runtime: rotation.usage(runtime.database, runtime.vault),
    )
    status = _status(ring, found, data, keys_dir)
    if as_json:
        print_json(status)
    else:
        _show(status)
    raise typer.Exit(Exit.WRONG if status["missing"] else Exit.DONE)


def _status(ring: Keyring, found: list[Usage], data: DataOption, keys_dir: KeysOption) -> dict[str, Any]:
    of_before = key_id(keys.digest_secret(_settings(data, keys_dir))).hex()
    known = [
        {
            "id": key.id,
            "line": ring.line_of(key),
            "newest": key == ring.newest,
            "wraps": sum(each.count_of(key.id) for each in found),
        }
        for key in ring.keys
    ]
    before = sum(each.count_of(BEFORE) for each in found)
    for key in known:
        key["may_go"] = not key["newest"] and not key["wraps"] and not (before and key["id"] == of_before)
    needed = {each.key for usage in found for each in usage.wrapped} - {BEFORE}
    return {
        "file": str(ring.path),
        "rotation_under_way": keyring.is_under_way(ring),
        "keys": known,
        "missing": sorted(needed - {key.id for key in ring.keys}),
        "wrapped_by_an_earlier_release": before,
        "services": [
            {
                "service": usage.service,
                "wrapped": [{"key": each.key, "class": each.of_class, "count": each.count} for each in usage.wrapped],
                "destroyed": usage.destroyed,
            }
            for usage in found
        ],
    }


def _show(status: dict[str, Any]) -> None:
    asked = ", ".join(each["service"] for each in status["services"])
    out.print(f"{status['file']}, newest first:", highlight=False, soft_wrap=True)
    for key in status["keys"]:
        words = f"wraps {key['wraps']} keys of {asked}" if key["wraps"] else f"wraps nothing of {asked}"
        if key["may_go"]:
            words += f": line {key['line']} may go"
        out.print(f"  {key['id']} {'(newest) ' if key['newest'] else ''}{words}", highlight=False, soft_wrap=True)
    for each in status["services"]:
        out.print(each["service"], style="bold")
        for wrapped in each["wrapped"]:
            line = f"  {wrapped['count']} {wrapped['class']} by {wrapped['key']}"
            out.print(line, highlight=False, soft_wrap=True)
        if each["destroyed"]:
            out.print(f"  {each['destroyed']} destroyed", highlight=False)
    if status["wrapped_by_an_earlier_release"]:
        out.print("Keys are wrapped as the release before did it: run `doorstep keys rotate`.", soft_wrap=True)
    if status["rotation_under_way"]:
        out.print("A rotation was broken off: `doorstep keys rotate` goes on with it.", soft_wrap=True)
    if status["missing"]:
        words = f"The file lacks keys that are needed: {', '.join(status['missing'])}. Add their lines again."
        err.print(words, style="red", highlight=False, soft_wrap=True)


@app.command()
def add(
    key: Annotated[Path | None, typer.Option(help="file with the key, 32 bytes in base64; default: a new one")] = None,
    data: DataOption = None,
    keys_dir: KeysOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a master key on top of the file: it wraps from now on. `keys rotate SERVICE` wraps the rest by it."""
    ring = _ring(data, keys_dir)
    content = keyring.keys_in(key, f"--key {key}")[0].key if key is not None else urandom(KEY_BYTES)
    with keyring.changing(ring):
        known = ring.newest.key == content
        new = ring.newest if known else keyring.add(ring, content, under_way=keyring.is_under_way(ring))
    if as_json:
        print_json({"key": new.id, "added": not known})
    else:
        out.print(f"{new.id} is the newest key of {ring.path}.", highlight=False, soft_wrap=True)


@app.command()
def rotate(
    service: ServiceArgument = None, data: DataOption = None, keys_dir: KeysOption = None, as_json: JsonOption = False
) -> None:
    """Make a new master key and wrap the keys of all services by it, while they run. A rotation that was broken off is
    ended first, without another new key. With SERVICE: wrap the keys of that service by the newest key of the file."""
    settings, ring = _settings(data, keys_dir), _ring(data, keys_dir)
    if service is None and settings.database_url is not None:
        fail(
            Exit.USAGE,
            "Each service has a database of its own here. Add the key by `doorstep keys add`, then run `doorstep keys "
            "rotate SERVICE` with the settings of each service.",
        )
    for name in [service] if service else PARTS:  # before a new key is made
        require_database(_settings(data, keys_dir), part_of(name).service.name)
    added = service is None and _begin(ring)
    since = monotonic_seconds()

    async def rewrap(runtime: Runtime) -> tuple[str, int]:
        await runtime.vault.begin(runtime.database)
        return runtime.service.name, await rotation.rewrap_all(runtime.database, runtime.vault, since=since)

    done = for_each(service, given(data_dir=data, keys_dir=keys_dir), rewrap)
    if service is None:
        with keyring.changing(ring):
            keyring.end(ring)
    _say_rotated(ring, done, added=added, as_json=as_json)


def _begin(ring: Keyring) -> bool:
    """Add a new key, but not while an earlier rotation waits for its end. Returns whether it did."""
    with keyring.changing(ring):
        if keyring.is_under_way(ring):
            return False
        keyring.add(ring, urandom(KEY_BYTES), under_way=True)
        return True


def _say_rotated(ring: Keyring, done: list[tuple[str, int]], *, added: bool, as_json: bool) -> None:
    if as_json:
        services = [{"service": name, "rewrapped": count} for name, count in done]
        print_json({"key": ring.newest.id, "added": added, "services": services})
        return
    for name, count in done:
        out.print(f"{name}: {count} keys wrapped by {ring.newest.id}", highlight=False, soft_wrap=True)
    out.print("Copy the folder of the keys now. `doorstep keys status` says which old key may go.", soft_wrap=True)


def _settings(data: DataOption, keys_dir: KeysOption) -> Settings:
    return Settings.load(**given(data_dir=data, keys_dir=keys_dir))


def _ring(data: DataOption, keys_dir: KeysOption) -> Keyring:
    """The file of the master keys. Raises CannotRun where there is none: a new one would be worth nothing."""
    settings = _settings(data, keys_dir)
    path = settings.master_key_file or settings.keys_path / "master.key"
    if not path.is_file():
        raise CannotRun(
            f"There is no {path}: the system makes it at its first start. Name the data folder with --data, or the "
            "folder of the keys with --keys."
        )
    return keys.keyring(settings)
