"""`doorstep gate`: the law on the command line, without servers: a decision on a visit described in a file, the packs
as tables, their stories, a check of a new pack, and a stored decision in words."""

import json
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from pydantic import ValidationError
from rich.markup import escape
from rich.table import Table

from services.cli.decisions import COLOURS, ToldDecision, replay, show_decision, stored_decision
from services.cli.gate_facts import SAMPLE, facts_in, path_of
from shared.cli.documents import content_of, document_of
from shared.cli.options import DataOption, JsonOption
from shared.cli.output import Exit, fail, out, print_json
from shared.law import (
    VERDICT_WORDS,
    Earliest,
    Law,
    OutOfPlace,
    PackInvalid,
    Rule,
    RulePack,
    Verdict,
    difference,
    earliest_lawful,
    evaluate,
    laws_named,
    read_pack,
    shipped,
)
from shared.law.stories import Told, load_stories, tell
from shared.law.wording import what_is_wrong

app = typer.Typer(no_args_is_help=True, help="The law: decide on a visit, show the rules, their stories, a decision.")

app.command("replay")(replay)

PackOption = Annotated[
    list[Path] | None, typer.Option("--pack", help="a pack that is not shipped, or a new version of one")
]
JurisdictionOption = Annotated[
    str | None,
    typer.Option(help="a pack (tw, cn, us, us-ma, uk, in, eu, house) or a place (fr, us-ny); all if left out"),
]


def register(program: typer.Typer) -> None:
    program.add_typer(app, name="gate")


@app.callback(invoke_without_command=True)
def decide(
    context: typer.Context,
    visit: Annotated[Path | None, typer.Option(help="facts of a visit or call, JSON or YAML")] = None,
    pack: PackOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide on a visit described in a file; exit 1 if it is not allowed."""
    if context.invoked_subcommand is not None:
        return
    if visit is None:
        fail(Exit.USAGE, f"--visit FILE is needed: {SAMPLE}.")
    law = _law(pack)
    step, facts = facts_in(visit, law)
    decision = evaluate(law.packs_of(facts), step, facts)
    blocked = decision.verdict is Verdict.BLOCK
    earliest = earliest_lawful(law, facts, after=facts.at, step=step) if blocked else None
    if as_json:
        print_json({**decision.to_json(), "earliest_lawful": _earliest_json(earliest)})
    else:
        show_decision(decision.to_json())
        _show_earliest(earliest)
    raise typer.Exit(Exit.WRONG if blocked else Exit.DONE)


@app.command("rules")
def show_rules(jurisdiction: JurisdictionOption = None, pack: PackOption = None, as_json: JsonOption = False) -> None:
    """The packs as tables, each rule with its source; a state's with what it lies within."""
    packs = _newest(_law(pack), jurisdiction)
    if as_json:
        print_json({"packs": [_pack_json(each) for each in packs]})
        return
    for each in packs:
        out.print(_table(each))


@app.command("stories")
def show_stories(jurisdiction: JurisdictionOption = None, as_json: JsonOption = False) -> None:
    """For each rule a story that passes and one that is stopped or warned of; exit 1 if one comes out otherwise."""
    law = shipped()
    told = [tell(law, of_pack, story) for of_pack in load_stories() for story in of_pack.stories]
    if jurisdiction is not None:
        known = [each.id for each in _newest(law, jurisdiction)]
        told = [each for each in told if each.pack in known]
    wrong = [each for each in told if not each.as_expected]
    if as_json:
        print_json({"ok": not wrong, "stories": [each.to_json() for each in told]})
    else:
        for each in told:
            _show_story(each)
        out.print(f"{len(told)} stories; {len(wrong) or 'none'} came out otherwise than their stories say.")
    raise typer.Exit(Exit.WRONG if wrong else Exit.DONE)


@app.command("check")
def check_pack(file: Path, as_json: JsonOption = False) -> None:
    """Whether a pack is sound, and what it changes against the shipped one, in words; exit 1 if it is not sound."""
    try:
        pack = read_pack(file.name, content_of(file))
        shipped().with_version(pack)
    except (PackInvalid, OutOfPlace) as invalid:
        if as_json:
            print_json({"ok": False, "problems": str(invalid).splitlines()})
            raise typer.Exit(Exit.WRONG) from None
        fail(Exit.WRONG, str(invalid))
    changes = difference(_shipped_pack(pack.id), pack)
    if as_json:
        words = [{"rule_id": each.rule_id, "field": each.field, "en": each.en, "zh": each.zh} for each in changes]
        print_json({"ok": True, "id": pack.id, "version": pack.version, "digest": pack.digest, "changes": words})
        return
    out.print(
        f"{pack.id} {pack.version} is sound: {len(pack.rules)} rules, digest {pack.digest[:16]}….", highlight=False
    )
    for each in changes:
        out.print(f"  {each.en} {each.zh}", markup=False, highlight=False, soft_wrap=True)


@app.command("explain")
def explain(
    decision: Annotated[str, typer.Argument(help="a stored decision: its id, or a file with its JSON")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """A stored decision in words, in English and Chinese."""
    told = _decision(decision, data)
    if as_json:
        print_json({"verdict": told["verdict"], "en": sentences(told, "en"), "zh": sentences(told, "zh")})
    else:
        show_decision(told)


def _decision(named: str, data: Path | None) -> dict[str, Any]:
    """A decision by its id in the data folder, or out of a file."""
    if not Path(named).exists() and _is_id(named):
        return stored_decision(UUID(named), data).decision
    document = document_of(Path(named))
    told = document.get("decision", document) if isinstance(document, dict) else {}
    try:
        ToldDecision.model_validate(told)
    except ValidationError as error:
        wrong = "; ".join(f"{path_of(e['loc'])}: {what_is_wrong(e, ToldDecision)}" for e in error.errors()[:5])
        fail(Exit.USAGE, f"{named} holds no decision: {wrong}")
    return dict(told)


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def sentences(decision: dict[str, Any], language: str) -> list[str]:
    """A decision's findings in one language, the strictest first."""
    order = [verdict.value for verdict in reversed(Verdict)]
    findings = sorted(decision["findings"], key=lambda each: order.index(each["verdict"]))
    return [
        f"{VERDICT_WORDS[Verdict(each['verdict'])][language]}: {each['rule_id']}: {each['reason'][language]} "
        f"({each['source']})"
        for each in findings
    ]


def _law(files: list[Path] | None) -> Law:
    law = shipped()
    for file in files or []:
        try:
            law = law.with_version(read_pack(file.name, content_of(file)))
        except (PackInvalid, OutOfPlace) as invalid:
            fail(Exit.USAGE, str(invalid))
    return law


def _newest(law: Law, jurisdiction: str | None) -> list[RulePack]:
    """The packs of a jurisdiction with those that it lies within, or all; the last version of each."""
    newest = {version.pack.id: version.pack for version in law.versions}
    if jurisdiction is None:
        return list(newest.values())
    found: list[RulePack] = []
    wanted = next((name for name in laws_named(jurisdiction) if name in newest), None)
    if wanted is None:
        fail(Exit.USAGE, f"There is no pack for {jurisdiction!r}; there are {', '.join(sorted(newest))}.")
    while wanted is not None:
        found.insert(0, newest[wanted])
        wanted = newest[wanted].within
    return found


def _shipped_pack(pack_id: str) -> RulePack | None:
    return {version.pack.id: version.pack for version in shipped().versions}.get(pack_id)


def _pack_json(pack: RulePack) -> dict[str, Any]:
    rules = [rule.to_json() for rule in pack.rules]
    head = {"id": pack.id, "version": pack.version, "digest": pack.digest, "within": pack.within}
    return {**head, "title": pack.title.model_dump(), "rules": rules}


def _table(pack: RulePack) -> Table:
    title = f"{pack.title.en} {pack.title.zh} · {pack.id} {pack.version}"
    table = Table(title=escape(title), show_lines=True)
    for heading in ("rule", "what it says", "effect", "parameters", "source"):
        table.add_column(heading, overflow="fold")
    for rule in pack.rules:
        parameters = json.dumps(rule.to_json()["parameters"], ensure_ascii=False)[1:-1].replace('"', "")
        says, source = f"{rule.says.en}\n{rule.says.zh}", f"{rule.source}\n{_standing(rule)}"
        table.add_row(rule.id, *(escape(each) for each in (says, _effect(rule), parameters, source)))
    return table


def _effect(rule: Rule) -> str:
    words: list[str] = [rule.effect if rule.blocks or rule.effect != "block" else "warn (its source is not verified)"]
    words += [f"at {', '.join(rule.steps)}"] if rule.steps else []
    words += [f"unless {rule.override}"] if rule.override else []
    return "\n".join(words)


def _standing(rule: Rule) -> str:
    dates = (
        f"{rule.effective_from or ''} – {rule.effective_to or ''}" if rule.effective_from or rule.effective_to else ""
    )
    return "; ".join(each for each in (rule.authority, rule.verified, dates, "" if rule.enabled else "OFF") if each)


def _show_story(told: Told) -> None:
    story = told.story
    mark = "" if told.as_expected else f"  EXPECTED {story.verdict.upper()}"
    out.print(
        f"[{COLOURS[told.verdict]}]{told.verdict.upper():<6}[/]{story.rule}{mark}", highlight=False, soft_wrap=True
    )
    for line in (f"{story.en} {story.zh}", told.sentence_en, told.sentence_zh):
        out.print(f"      {line}", markup=False, highlight=False, soft_wrap=True)


def _earliest_json(earliest: Earliest | None) -> dict[str, Any] | None:
    if earliest is None:
        return None
    return {"at": earliest.at.isoformat() if earliest.at else None, "rule_id": earliest.rule_id}


def _show_earliest(earliest: Earliest | None) -> None:
    if earliest is not None and earliest.at is not None:
        out.print(
            f"The earliest lawful time is {earliest.at.isoformat()} (by {earliest.rule_id}).",
            highlight=False,
            soft_wrap=True,
        )
    elif earliest is not None:
        out.print(
            f"No lawful time within 60 days as things stand (by {earliest.rule_id}).", highlight=False, soft_wrap=True
        )
