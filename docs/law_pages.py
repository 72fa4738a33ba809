"""The pages under docs/law: one a jurisdiction, written from the packs, and one of the kinds of rules."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shared.law import Rule, RulePack, load_packs
from shared.law.kinds import KINDS, Kind

LAW = Path(__file__).parent / "law"
RULES_HEAD = "| rule | what it says | what it does | parameters | source | standing |\n|---|---|---|---|---|---|"
INDEX_HEAD = """# The law

What the gate judges by. Each page is written from a pack in `shared/law/packs/` by `make docs`; the same in a terminal:
`doorstep gate rules`. How to add or change one: [a new law, step by step](../guides/a-new-law.md).

- A rule of the effect **block** stops an act; at completion it stops nothing, and what was wrong is an incident.
- A rule that is **unverified** only warns. The others say whether the text itself was read (primary) or a report of it
  (secondary). The figures are facts; the words are ours, and no legal advice.
- **Unless** names what lifts a rule: a recorded consent or other ground with its evidence, or another rule that is met.
- Of house and law the stricter one wins. A fact that is missing blocks and is named.
- Where a country has no pack, the house rules apply and a warning says that no law is encoded.
- An act whose place has no time zone (at sea, unknown) is blocked: no hour can be judged there.

| page | rules | version |
|---|---|---|
"""
KINDS_HEAD = """# Kinds of rules

The closed set that packs are written with. Each is a pure function in `shared/law/kinds/`, with a table of examples in
`tests/shared/law/examples.yaml`. Written by `make docs`.

| kind | what it asks | parameters |
|---|---|---|
"""


def law_pages() -> dict[Path, str]:
    """Every page of the law with what must be in it."""
    packs = load_packs()
    rows = [
        f"| [{each.title.en} · {each.title.zh}]({each.id}.md) | {len(each.rules)} | {each.version} |"
        for each in packs.values()
    ]
    index = INDEX_HEAD + "\n".join(rows) + "\n\nWhat packs are written with: [kinds of rules](kinds.md).\n"
    pages = {LAW / "README.md": index, LAW / "kinds.md": _kinds()}
    return pages | {LAW / f"{each.id}.md": _page(each) for each in packs.values()}


def _page(pack: RulePack) -> str:
    within = f" It applies together with [{pack.within}]({pack.within}.md)." if pack.within else ""
    house = " These apply everywhere." if pack.id == "house" else " The [house rules](house.md) apply too."
    head = f"Pack `{pack.id}`, version {pack.version}, written by `make docs`.{within}{house}"
    rows = [RULES_HEAD, *(_row(rule) for rule in pack.rules)]
    return "\n".join([f"# {pack.title.en} · {pack.title.zh}\n", head + "\n", *rows, ""])


def _row(rule: Rule) -> str:
    cells = (
        f"`{rule.id}`",
        f"{rule.says.en}<br>{rule.says.zh}",
        _does(rule),
        _parameters(rule),
        rule.source,
        _standing(rule),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _does(rule: Rule) -> str:
    effect = f"**{rule.effect}**" if rule.blocks or rule.effect != "block" else "**warn** (block, were it verified)"
    at = f" at {', '.join(rule.steps)}" if rule.steps else ""
    return effect + at + (f"; unless `{rule.override}`" if rule.override else "")


def _parameters(rule: Rule) -> str:
    told = rule.to_json()["parameters"]
    return "<br>".join([f"kind `{rule.kind}`", *(f"{name}: {_value(value)}" for name, value in told.items())])


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    if isinstance(value, dict):
        return "; ".join(f"{name} → {_value(each)}" for name, each in value.items())
    return str(value).lower() if isinstance(value, bool) else str(value)


def _standing(rule: Rule) -> str:
    words = [rule.authority, rule.verified]
    words += [f"from {rule.effective_from}"] if rule.effective_from else []
    words += [f"until before {rule.effective_to}"] if rule.effective_to else []
    words += [] if rule.enabled else ["switched off"]
    return ", ".join(words)


def _kinds() -> str:
    return KINDS_HEAD + "\n".join(_kind_rows(KINDS.items())) + "\n"


def _kind_rows(kinds: Iterable[tuple[str, Kind[Any]]]) -> Iterable[str]:
    for name, kind in kinds:
        fields = kind.parameters.model_fields.items()
        parameters = ", ".join(
            f"`{each.alias or field}`" + ("" if each.is_required() else " (optional)") for field, each in fields
        )
        words = " ".join((kind.parameters.__doc__ or "").split())
        yield f"| `{name}` | {words} | {parameters} |"
