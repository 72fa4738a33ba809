"""A search with its record: whoever searches, reads or counts is written down in the same transaction."""

from dataclasses import dataclass
from uuid import UUID

from services.audit.access.usecases import SearchForm, record_reading, record_search
from services.audit.search import queries
from services.audit.search.cursors import resumed
from services.audit.search.domain import Search
from services.audit.search.queries import Found, Sizes
from services.audit.search.schemas import VerdictView
from services.audit.search.verdict import ENTRIES_INLINE_MAX, count_of, verdict_of
from services.audit.tlog.note import Verifier
from services.audit.trail.schemas import ProvenEntryView
from shared.database import Transaction
from shared.errors import Invalid


@dataclass(frozen=True, slots=True)
class Shown:
    """A page of a search, as of which sizes, and its verdict, where it brings one."""

    found: Found
    sizes: Sizes
    verdict: VerdictView | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A search that may begin: what entries must name, and the sizes that it is held to."""

    groups: list[tuple[str, ...]]
    sizes: Sizes


async def search_page(
    tx: Transaction, search: Search, *, after: tuple[str, int, str] | None, limit: int, size: int | None
) -> Shown:
    """A page, recorded. The first one of a search about one subject brings the verdict along."""
    groups = await queries.subjects_of(tx, search)
    sizes = await queries.sizes_of(tx, search, groups, size)
    place, sizes = (None, sizes) if after is None else resumed(after, sizes)
    found = await queries.page_of(tx, search, groups, sizes, after=place, limit=limit)
    verdict = None
    if place is None and len(groups) == 1 and await count_of(tx, groups[0], sizes) <= ENTRIES_INLINE_MAX:
        verdict = await verdict_of(tx, groups[0], sizes)
    await _record(tx, search, "PAGE", sizes, len(found.items))
    return Shown(found, sizes, verdict)


async def subject_verdict(tx: Transaction, search: Search, size: int | None, verifier: Verifier) -> VerdictView:
    """The thorough verdict on one subject, recorded. Raises Invalid unless one subject is named, and no more."""
    narrowing = search.criteria().keys() - {"log", "case_id", "debtor_id", "visit_id", "collector_id", "promise_id"}
    if len(search.subjects) != 1 or narrowing:
        raise Invalid("one-subject", "A verdict is about one subject: give exactly one id, and `log` if you like.")
    groups = await queries.subjects_of(tx, search)
    sizes = await queries.sizes_of(tx, search, groups, size)
    verdict = await verdict_of(tx, groups[0], sizes, verifier=verifier)
    await _record(tx, search, "COUNTS", sizes, verdict.found)
    return verdict


async def begin_stream(tx: Transaction, search: Search, form: SearchForm, size: int | None) -> Prepared:
    """Record a stream before its first line."""
    groups = await queries.subjects_of(tx, search)
    sizes = await queries.sizes_of(tx, search, groups, size)
    await _record(tx, search, form, sizes, None)
    return Prepared(groups, sizes)


async def read_entry(tx: Transaction, log_id: str, index: int) -> ProvenEntryView:
    """One entry with its proof, recorded."""
    entry = await queries.get_entry(tx, log_id, index)
    cases = [UUID(each["ref"][5:]) for each in entry.leaf["subjects"] if each["ref"].startswith("case:")]
    record_reading(tx, form="ENTRY", log=log_id, first=index, last=index, case_ids=cases)
    return entry


async def _record(tx: Transaction, search: Search, form: SearchForm, sizes: Sizes, found: int | None) -> None:
    criteria = await queries.kept_criteria(tx, search)
    record_search(tx, form=form, sizes=sizes, found=found, criteria=criteria)
