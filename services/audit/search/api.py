"""Routes of the search in the trail, for compliance staff. Every search and reading is itself recorded."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from services.audit.attestations.checkpoints import verifier_of
from services.audit.search import queries, streams, usecases
from services.audit.search.cursors import parts_of
from services.audit.search.domain import Search
from services.audit.search.schemas import SearchPage, VerdictView
from services.audit.settings import AuditSettings
from services.audit.trail.entries import OWN_TYPES
from services.audit.trail.schemas import ProvenEntryView
from shared.auth import Actor, Role, allow
from shared.errors import Invalid
from shared.events.registry import EVENTS
from shared.law.terms import Disposition
from shared.web import Paging, Tx, context_of, room

router = room("audit", tag="search")
Officer = Annotated[Actor, allow(Role.COMPLIANCE, Role.ADMIN)]
Word = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9._:@-]{1,120}$")]
ActorName = Annotated[str | None, Query(max_length=255, description="who acted, by the issuer's id, or as role:id")]
Size = Annotated[int | None, Query(ge=0, le=2**53, description="as of which size of `log`; default: now")]
Index = Annotated[int, Path(ge=0, le=2**53)]


async def _search(
    log: Annotated[str | None, Query(max_length=80, description="a lender, operator, or access")] = None,
    case_id: UUID | None = None,
    debtor_id: Annotated[UUID | None, Query(description="the debtor and its cases")] = None,
    visit_id: UUID | None = None,
    collector_id: UUID | None = None,
    promise_id: UUID | None = None,
    type: Annotated[list[str] | None, Query(max_length=20, description="event types, one of them")] = None,
    disposition: Annotated[Disposition | None, Query(description="what came of a visit")] = None,
    outcome: Annotated[Word, Query(description="a verdict, reason or disposition")] = None,
    rule_id: Annotated[Word, Query(description="a rule that decided")] = None,
    actor: ActorName = None,
    correlation_id: Word = None,
    occurred_from: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    occurred_until: Annotated[AwareDatetime | None, Query(alias="until")] = None,
) -> Search:
    unknown = sorted(set(type or ()) - EVENTS.keys() - set(OWN_TYPES))
    if unknown:
        raise Invalid("unknown-type", "There is no such event type: docs/events lists them.", where="query.type")
    if actor is not None and not (actor and actor.isprintable()):
        raise Invalid("actor", "`actor` must be printable text of 1 to 255 characters.", where="query.actor")
    if disposition is not None and outcome is not None:
        raise Invalid("outcome-twice", "`disposition` and `outcome` ask for the same: give one of them.")
    return Search(
        log=log,
        case_id=case_id,
        debtor_id=debtor_id,
        visit_id=visit_id,
        collector_id=collector_id,
        promise_id=promise_id,
        types=tuple(sorted(set(type or ()))),
        outcome=disposition.value if disposition else outcome,
        rule=rule_id,
        acted_by=actor,
        correlation=correlation_id,
        occurred_from=occurred_from,
        occurred_until=occurred_until,
    )


Wanted = Annotated[Search, Depends(_search)]


@router.get("/entries")
async def list_entries(_actor: Officer, tx: Tx, wanted: Wanted, page: Paging, size: Size = None) -> SearchPage:
    """Entries that fit all criteria, by log and index, oldest first; of one subject with the verdict whether that is
    all. Pages stay what they were while the logs grow."""
    shown = await usecases.search_page(tx, wanted, after=page.after_all(str, int, str), limit=page.limit, size=size)
    place, sizes = shown.found.next, shown.sizes
    next_cursor = page.cursor(*parts_of(place, sizes)) if place else None
    return SearchPage(items=shown.found.items, next_cursor=next_cursor, sizes=sizes, verdict=shown.verdict)


@router.get("/verdict")
async def judge_subject(request: Request, _actor: Officer, tx: Tx, wanted: Wanted, size: Size = None) -> VerdictView:
    """How many entries a case, debtor, visit, collector or promise has, and whether that is all: counted, chained, and
    held to the signed tree."""
    verifier = verifier_of(AuditSettings.of(request.app.state.runtime.settings))
    return await usecases.subject_verdict(tx, wanted, size, verifier)


@router.get("/entries.csv", response_class=StreamingResponse)
async def stream_csv(request: Request, _actor: Officer, tx: Tx, wanted: Wanted, size: Size = None) -> StreamingResponse:
    """The whole search as CSV, as of now or of `size`."""
    begun = await usecases.begin_stream(tx, wanted, "CSV", size)
    reading = partial(request.app.state.runtime.database.reading, context_of(request))
    pages = queries.stream(reading, wanted, begun.groups, begun.sizes)
    headers = {"Content-Disposition": 'attachment; filename="trail.csv"'}
    return StreamingResponse(streams.as_csv(pages), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/entries.ndjson", response_class=StreamingResponse)
async def stream_ndjson(
    request: Request, _actor: Officer, tx: Tx, wanted: Wanted, size: Size = None
) -> StreamingResponse:
    """The whole search, one JSON document a line, as of now or of `size`."""
    begun = await usecases.begin_stream(tx, wanted, "NDJSON", size)
    reading = partial(request.app.state.runtime.database.reading, context_of(request))
    pages = queries.stream(reading, wanted, begun.groups, begun.sizes)
    return StreamingResponse(streams.as_ndjson(pages), media_type="application/x-ndjson")


@router.get("/entries/{log_id}/{index}")
async def get_entry(log_id: str, index: Index, _actor: Officer, tx: Tx) -> ProvenEntryView:
    """One entry to the byte, with the proof that it is in the log."""
    return await usecases.read_entry(tx, log_id, index)
