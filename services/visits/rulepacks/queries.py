"""Reads of the register: packs as they are in force, versions, and trials of a version on past decisions."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from services.visits.base import LAWBOOK
from services.visits.gate import queries as gate
from services.visits.rulepacks import back_test as trials
from services.visits.rulepacks.back_test import Tried
from services.visits.rulepacks.schemas import (
    BackTestBody,
    BackTestView,
    PackVersionDetail,
    PackVersionView,
    RuleChangeView,
    RulePackDetail,
    RulePackView,
    RuleView,
    VerdictChange,
    Words,
)
from services.visits.rulepacks.tables import PackVersionRow
from services.visits.rulepacks.usecases import PACKS, read_version
from shared.database import Transaction
from shared.errors import NotFound
from shared.law import SINCE_EVER, Law, RulePack, load_packs
from shared.versions.domain import VersionStatus
from shared.versions.schemas import Differences
from shared.versions.usecases import shown


def _not_found() -> NotFound:
    return NotFound("pack-not-found", "There is no such rule pack, or no such version of it.")


async def list_packs(tx: Transaction, *, day: date | None, after: str, limit: int) -> list[RulePackView]:
    """Packs in the order of their ids. One whose first version is still to come shows that."""
    law = await LAWBOOK.law(tx)
    waiting = await PACKS.waiting(tx)
    ids = sorted({version.pack.id for version in law.versions} | waiting.keys())
    on = day or tx.now.date()
    return [_pack_view(law, pack_id, on, waiting.get(pack_id, 0)) for pack_id in ids if pack_id > after][:limit]


async def get_pack(tx: Transaction, pack_id: str, *, day: date | None) -> RulePackDetail:
    """Raises NotFound for a pack that is not in force on that day."""
    law = await LAWBOOK.law(tx)
    on = day or tx.now.date()
    pack = law.in_force(pack_id, on)
    if pack is None:
        raise _not_found()
    view = _pack_view(law, pack_id, on, (await PACKS.waiting(tx)).get(pack_id, 0))
    fields = set(RuleView.model_fields)
    rules = [RuleView.model_validate({k: v for k, v in rule.to_json().items() if k in fields}) for rule in pack.rules]
    return RulePackDetail(**view.model_dump(), day=on, rule_list=rules)


def _pack_view(law: Law, pack_id: str, day: date, waiting: int) -> RulePackView:
    pack = law.in_force(pack_id, day)
    if pack is None:
        return RulePackView(
            id=pack_id, title=Words(en=pack_id, zh=pack_id), version=None, digest=None, rules=0, waiting=waiting
        )
    return RulePackView(
        id=pack.id,
        title=Words(en=pack.title.en, zh=pack.title.zh),
        version=pack.version,
        digest=pack.digest,
        rules=len(pack.rules),
        waiting=waiting,
    )


async def list_versions(
    tx: Transaction, pack_id: str, *, day: date | None, after: int | None, limit: int
) -> list[tuple[int, PackVersionView]]:
    """The version that ships with the program, then the uploaded ones, each with its number. Raises NotFound."""
    shipped = load_packs().get(pack_id) if after is None else None
    rows = [*([_shipped(shipped)] if shipped else []), *await PACKS.page(tx, pack_id, after=after, limit=limit)]
    if not rows and after is None:
        raise _not_found()
    views = await _views(tx, pack_id, rows, day=day)
    return [(row.number, view) for row, view in zip(rows, views, strict=True)][:limit]


def _shipped(pack: RulePack) -> PackVersionRow:
    """A version that ships with the program, as a row that is not stored."""
    fields: dict[str, Any] = {
        "document": pack.id,
        "number": 0,
        "name": pack.version,
        "digest": pack.digest,
        "content": pack.text,
    }
    nothing: dict[str, list[str]] = {"en": [], "zh": []}
    return PackVersionRow(**fields, differences=nothing, status=VersionStatus.SHIPPED, effective_from=SINCE_EVER)


async def _views(
    tx: Transaction, pack_id: str, rows: Sequence[PackVersionRow], *, day: date | None
) -> list[PackVersionView]:
    on = day or tx.now.date()
    pack = (await LAWBOOK.law(tx)).in_force(pack_id, on)
    first_uses = await gate.first_uses(tx, [row.digest for row in rows])
    return [
        PackVersionView(
            id=row.id,
            pack=pack_id,
            version=row.name,
            first_used_at=first_uses.get(row.digest),
            **shown(row, day=on, is_in_force=pack is not None and pack.digest == row.digest),
        )
        for row in rows
    ]


async def get_version(
    tx: Transaction, pack_id: str, version: str, *, day: date | None = None
) -> tuple[PackVersionDetail, int]:
    """A version with its text, and the number of its ETag. One that was uploaded before a release ships it is shown as
    it was decided. Raises NotFound."""
    row, shipped = await PACKS.find(tx, pack_id, version), load_packs().get(pack_id)
    if row is None and shipped is not None and shipped.version == version:
        row = _shipped(shipped)
    if row is None:
        raise _not_found()
    return await detail(tx, row, day=day), row.revision


async def detail(tx: Transaction, row: PackVersionRow, *, day: date | None = None) -> PackVersionDetail:
    [view] = await _views(tx, row.document, [row], day=day)
    differences = Differences.model_validate(row.differences)
    return PackVersionDetail(**view.model_dump(), yaml=row.content, differences=differences)


async def back_test(tx: Transaction, pack_id: str, body: BackTestBody) -> BackTestView:
    """Raises NotFound for a version that is not known, Invalid for a text that is no pack."""
    yaml = body.yaml
    if yaml is None:
        found, _ = await get_version(tx, pack_id, body.version or "")
        yaml = found.yaml
    pack = read_version(pack_id, yaml)
    tried = await trials.back_test(
        tx,
        Tried(pack, await LAWBOOK.law(tx)),
        first_day=body.first_day,
        last_day=body.last_day,
        decisions_max=body.decisions_max,
    )
    return BackTestView(
        pack=pack.id,
        version=pack.version,
        digest=pack.digest,
        decisions=tried.acts,
        verdicts=[
            VerdictChange(before=before, after=after, count=count)
            for (before, after), count in sorted(tried.outcomes.items())
        ],
        rules=[
            RuleChangeView(
                rule_id=rule_id,
                before=dict(change.before),
                after=dict(change.after),
                changed=change.changed,
                examples=change.examples,
            )
            for rule_id, change in sorted(tried.parts.items())
        ],
    )
