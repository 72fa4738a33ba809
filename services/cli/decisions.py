"""Stored decisions of the gate on the command line, read from the data of the service visits while it is down or up."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer
from pydantic import BaseModel
from rich.markup import escape

from services.cli.processes import part_of
from services.visits.gate import queries
from services.visits.gate.schemas import DecisionView
from shared.cli.opening import opened
from shared.cli.options import DataOption, JsonOption, given
from shared.cli.output import Exit, fail, out, print_json
from shared.database import Transaction
from shared.errors import DomainError
from shared.law import VERDICT_WORDS, Verdict

Answer = TypeVar("Answer")
COLOURS = {"pass": "green", "warn": "yellow", "block": "red"}


class ToldWords(BaseModel):
    en: str
    zh: str


class ToldFinding(BaseModel):
    rule_id: str
    verdict: Verdict
    reason: ToldWords
    source: str
    override: str | None
    overridden_by: str | None


class ToldPack(BaseModel):
    id: str
    version: str
    digest: str


class ToldDecision(BaseModel):
    """What a file must hold to be shown as a decision."""

    step: str
    at: str
    jurisdiction: str
    time_zone: str | None
    verdict: Verdict
    findings: list[ToldFinding]
    packs: list[ToldPack]


def replay(
    decision_id: Annotated[UUID, typer.Argument(help="id of a stored decision")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a stored decision again, on its own facts, by its own versions of the packs; exit 1 if it comes out
    otherwise."""
    view = _read(data, lambda tx: queries.replay(tx, decision_id))
    if as_json:
        print_json(view.model_dump(mode="json"))
    else:
        same = "the same" if view.same else "NOT the same"
        out.print(
            f"Decision {decision_id}: stored {view.verdict}, run again {view.replayed_verdict}: {same}.",
            f"digest stored    {view.digest}",
            f"digest run again {view.replayed_digest}",
            sep="\n",
            highlight=False,
            soft_wrap=True,
        )
    raise typer.Exit(Exit.DONE if view.same else Exit.WRONG)


def stored_decision(decision_id: UUID, data: Path | None) -> DecisionView:
    """A decision with its facts; ends the command where there is none."""
    return _read(data, lambda tx: queries.get_decision(tx, decision_id))


def show_decision(decision: dict[str, Any]) -> None:
    """A decision rule by rule, in English and Chinese."""
    verdict = Verdict(decision["verdict"])
    words = VERDICT_WORDS[verdict]
    head = (
        f"{decision['step']} at {decision['at']} in {decision['jurisdiction']} ({decision['time_zone'] or 'no zone'})"
    )
    out.print(escape(head), highlight=False, soft_wrap=True)
    out.print(f"[bold {COLOURS[verdict]}]{words['en']} · {words['zh']}[/]")
    for finding in decision["findings"]:
        colour, mark = COLOURS[finding["verdict"]], finding["verdict"].upper()
        reason = finding["reason"]
        out.print(
            f"[{colour}]{mark:<6}[/]{escape(finding['rule_id'])}: {escape(reason['en'])}",
            highlight=False,
            soft_wrap=True,
        )
        out.print(f"      {reason['zh']} ({finding['source']})", markup=False, highlight=False, soft_wrap=True)
        if finding["overridden_by"]:
            out.print(
                f"      lifted by {finding['override']}: {finding['overridden_by']}", markup=False, highlight=False
            )
    packs = ", ".join(f"{each['id']} {each['version']} ({each['digest'][:12]})" for each in decision["packs"])
    out.print(f"judged by {packs}", markup=False, highlight=False, soft_wrap=True)


def _read(data: Path | None, read: Callable[[Transaction], Awaitable[Answer]]) -> Answer:
    part = part_of("visits")

    async def run() -> Answer:
        settings = part.settings.load(**given(data_dir=data))
        async with opened(part.service, settings) as runtime, runtime.database.reading() as tx:
            return await read(tx)

    try:
        return asyncio.run(run())
    except DomainError as refused:
        fail(Exit.WRONG, refused.detail)
