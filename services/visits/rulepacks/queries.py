"""Reads of the register: packs as they are in force, versions, and trials of a version on past decisions."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import func, select
from sqlmodel import col

from services.visits.base import LAWBOOK
from services.visits.rulepacks import back_test as trials
from services.visits.rulepacks.back_test import Trial
from services.visits.rulepacks.domain import PackStatus
from services.visits.rulepacks.schemas import (
    BackTestBody,
    BackTestView,
    Differences,
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
from services.visits.rulepacks.usecases import read_version
from shared.database import Transaction
from shared.errors import NotFound
from shared.law import Law, RulePack, load_packs


def _not_found() -> NotFound:
    return NotFound("pack-not-found", "There is no such rule pack, or no such version of it.")


async def list_packs(tx: Transaction, *, day: date | None, after: str, limit: int) -> list[RulePackView]:
    """Packs in the order of their ids. One whose first version is still to come shows that."""
    law = await LAWBOOK.law(tx)
    waiting = await _waiting(tx)
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
    view = _pack_view(law, pack_id, on, (await _waiting(tx)).get(pack_id, 0))
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


async def _waiting(tx: Transaction) -> dict[str, int]:
    rows = await tx.session.execute(
        select(col(PackVersionRow.pack), func.count())
        .where(col(PackVersionRow.status) == PackStatus.PROPOSED)
        .group_by(col(PackVersionRow.pack))
    )
    return {row.pack: row[1] for row in rows}


def _view(row: PackVersionRow) -> PackVersionView:
    fields = row.model_dump(exclude={"pack_version", "version", "yaml", "differences"})
    return PackVersionView(**fields, version=row.pack_version)


def detail(row: PackVersionRow) -> PackVersionDetail:
    differences = Differences.model_validate(row.differences)
    return PackVersionDetail(**_view(row).model_dump(), yaml=row.yaml, differences=differences)


def _shipped(pack: RulePack) -> PackVersionView:
    return PackVersionView(pack=pack.id, version=pack.version, digest=pack.digest, status=PackStatus.SHIPPED)


async def list_versions(tx: Transaction, pack_id: str, *, after: str | None, limit: int) -> list[PackVersionView]:
    """The version that ships with the program, then the uploaded ones in their order. Raises NotFound."""
    rows = await tx.session.scalars(
        select(PackVersionRow).where(col(PackVersionRow.pack) == pack_id).order_by(col(PackVersionRow.id))
    )
    shipped = load_packs().get(pack_id)
    views = [*([_shipped(shipped)] if shipped else []), *map(_view, rows)]
    if not views:
        raise _not_found()
    return _after(views, after)[:limit]


def _after(views: Sequence[PackVersionView], version: str | None) -> list[PackVersionView]:
    names = [view.version for view in views]
    return list(views[names.index(version) + 1 :] if version in names else views)


async def get_version(tx: Transaction, pack_id: str, version: str) -> tuple[PackVersionDetail, int]:
    """A version with its text, and the number of its ETag. Raises NotFound."""
    row = await tx.session.scalar(
        select(PackVersionRow).where(col(PackVersionRow.pack) == pack_id, col(PackVersionRow.pack_version) == version)
    )
    if row is not None:
        return detail(row), row.version
    shipped = load_packs().get(pack_id)
    if shipped is None or shipped.version != version:
        raise _not_found()
    nothing = Differences(en=[], zh=[])
    return PackVersionDetail(**_shipped(shipped).model_dump(), yaml=shipped.text, differences=nothing), 0


async def back_test(tx: Transaction, pack_id: str, body: BackTestBody) -> BackTestView:
    """Raises NotFound for a version that is not known, Invalid for a text that is no pack."""
    yaml = body.yaml
    if yaml is None:
        found, _ = await get_version(tx, pack_id, body.version or "")
        yaml = found.yaml
    pack = read_version(pack_id, yaml)
    tried = await trials.back_test(
        tx,
        Trial(pack, await LAWBOOK.law(tx)),
        first_day=body.first_day,
        last_day=body.last_day,
        decisions_max=body.decisions_max,
    )
    return BackTestView(
        pack=pack.id,
        version=pack.version,
        digest=pack.digest,
        decisions=tried.decisions,
        verdicts=[
            VerdictChange(before=before, after=after, count=count)
            for (before, after), count in sorted(tried.verdicts.items())
        ],
        rules=[
            RuleChangeView(
                rule_id=rule_id,
                before=dict(change.before),
                after=dict(change.after),
                changed=change.changed,
                examples=change.examples,
            )
            for rule_id, change in sorted(tried.rules.items())
        ],
    )
