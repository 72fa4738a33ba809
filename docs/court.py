"""What a court asks, and the entries of the trail that answer it. The page is made of this and of the events' registry,
so that it names no type, field or criterion that is not there: `make docs`."""

from dataclasses import dataclass

from shared.events.registry import EVENTS

HEAD = """# What a court asks

Which entries of the trail answer what a regulator, a court or the person concerned may ask. Written by `make docs` from
the registry of events; what each field means is in [events](../events/README.md).

Search as an officer: `GET /audit/v1/entries` with the criteria of the table (more than one `type` is allowed), as lines
by `entries.csv` and `entries.ndjson`. A search by one subject brings its verdict along ("n of n, nothing missing", or
the named gap); `GET /audit/v1/verdict` proves it. `doorstep trail export --case ID --out FILE` takes the answer out, in
a form that is checked without us. `POST /cases/v1/debtor-searches` finds a debtor by the lender's own reference.
"""


@dataclass(frozen=True, slots=True)
class Question:
    """A question in both languages, the criteria that find the answer, and the events with the fields that hold it."""

    en: str
    zh: str
    search: tuple[str, ...]
    answers: dict[str, tuple[str, ...]]


QUESTIONS = (
    Question(
        "Who placed this debt with the agency, when, and what was owed?",
        "這筆債權由誰委外、何時委外、當時欠多少？",
        ("case_id",),
        {
            "CaseOpened": ("lender_id", "placement_id", "balance", "days_past_due"),
            "CaseUpdated": ("balance", "days_past_due"),
        },
    ),
    Question(
        "Why was this person visited at all?",
        "為何要外訪此人？",
        ("case_id", "rule_id"),
        {"CaseReferred": ("rule_id", "inputs"), "RevisitRequested": ("reason", "not_before")},
    ),
    Question(
        "Was the person told beforehand, and is there proof?",
        "事前是否已通知當事人？有無證明？",
        ("case_id",),
        {"NoticeRecorded": ("kind", "channel", "sent_at", "proof_digest"), "DebtorReached": ("first_contact_at",)},
    ),
    Question(
        "What had the person allowed, refused or asked for?",
        "當事人同意、拒絕或要求過什麼？",
        ("case_id",),
        {
            "ConsentRecorded": ("scope", "given_at", "valid_until", "proof_digest"),
            "ConsentWithdrawn": ("scope", "withdrawn_at"),
            "ContactPreferenceRecorded": ("channels", "windows"),
            "QuietPeriodRecorded": ("reason", "first_day", "last_day"),
        },
    ),
    Question(
        "Should contact have stopped, and did it?",
        "是否本應停止聯繫？是否停止了？",
        ("case_id", "outcome"),
        {
            "CaseHeld": ("reason", "scope", "review_on"),
            "CaseReleased": ("reason",),
            "ApprovalAsked": ("action", "subject_id", "expires_at"),
            "ApprovalGranted": ("action", "subject_id", "asked_by"),
            "ApprovalRefused": ("action", "subject_id", "asked_by"),
            "ApprovalExpired": ("action", "subject_id", "because"),
            "ComplaintFiled": ("kind", "filed_at", "answer_due_on"),
            "ComplaintResolved": ("outcome", "in_time"),
        },
    ),
    Question(
        "Was each step lawful when it was taken, and under which version of the rules?",
        "每一步在當時是否合法？依據哪一版規則？",
        ("case_id", "visit_id", "outcome", "rule_id"),
        {
            "GateDecided": ("step", "verdict", "deciding", "rules", "packs", "decision_digest"),
            "RulePackActivated": ("pack", "pack_version", "pack_digest", "effective_from"),
            "RulePackWithdrawn": ("pack", "pack_version", "pack_digest", "effective_from"),
        },
    ),
    Question(
        "Was anything stopped by a rule, or done although a rule stopped it?",
        "有無因規則而中止，或違反規則仍進行之事？",
        ("case_id", "visit_id", "rule_id"),
        {
            "VisitBlocked": ("step", "rules", "decision_id"),
            "OverrideUsed": ("rule_id", "override", "grounds"),
            "GroundRecorded": ("ground", "valid_until", "proof_digest"),
        },
    ),
    Question(
        "Who came to the door, when, and from where did their phones report?",
        "誰到場、何時到場、手機回報的位置為何？",
        ("visit_id", "collector_id"),
        {
            "VisitPlanned": ("collector_ids", "purpose", "window_start", "window_end"),
            "VisitDispatched": ("collector_ids", "decision_id"),
            "VisitDeparted": ("team_id", "collector_ids"),
            "VisitStarted": ("check_ins", "started_at", "decision_id"),
        },
    ),
    Question(
        "What happened at the door, what was recorded, and which proofs are missing?",
        "現場發生了什麼？留下哪些紀錄？缺少哪些證明？",
        ("visit_id", "disposition"),
        {
            "VisitCompleted": ("disposition", "person_met", "evidence", "statement_commitment", "missing", "reported"),
            "VisitSupplemented": ("added", "evidence", "missing", "reported"),
            "VisitAborted": ("reason", "at", "reported"),
            "VisitCancelled": ("reason",),
            "VisitMissed": ("day", "reason", "known_status"),
            "IncidentReported": ("kind", "rules", "missing"),
        },
    ),
    Question(
        "Were the collectors cleared and certified that day?",
        "外訪人員當日是否合格並持有證照？",
        ("collector_id",),
        {
            "CollectorStatusChanged": ("status", "previous_status", "certificates"),
            "CollectorCorrected": ("fields", "change_id"),
            "TeamChanged": ("from_day", "collector_ids", "earlier_collector_ids"),
        },
    ),
    Question(
        "Was the address checked?",
        "地址是否經過查證？",
        ("case_id",),
        {"AddressVerified": ("verified", "hazard")},
    ),
    Question(
        "What was promised, and how did it end?",
        "承諾了什麼？結果如何？",
        ("case_id", "promise_id"),
        {
            "PromiseMade": ("instalments", "total", "visit_id"),
            "PromiseKept": ("promised", "paid"),
            "PromisePartiallyKept": ("promised", "paid"),
            "PromiseBroken": ("promised", "paid"),
            "PromiseCured": ("promised", "paid", "status", "judgement"),
            "PromiseReopened": ("promised", "paid", "status", "judgement"),
            "InstalmentMissed": ("instalment", "due", "paid"),
            "PromiseSuperseded": ("by_promise_id",),
            "PromiseCancelled": ("reason",),
        },
    ),
    Question(
        "What money was taken, against which receipt, and was it credited?",
        "收了多少錢、收據號碼、是否入帳？",
        ("case_id", "visit_id"),
        {"CashReceived": ("receipt_number", "amount"), "PaymentReceived": ("amount", "received_on", "provisional")},
    ),
    Question(
        "How was the day planned, and who was left out?",
        "當日行程如何安排？哪些案件未排入、為何？",
        ("log", "type"),
        {"DayPlanPublished": ("day", "visits", "teams", "left_out")},
    ),
    Question(
        "Who has read this person's data?",
        "誰讀過此人的個人資料？",
        ("case_id", "actor"),
        {"DossierRead": ("case_ids", "reason")},
    ),
    Question(
        "Who has looked into the trail, and what left it?",
        "誰查閱過稽核軌跡？有什麼被匯出？",
        ("log", "actor", "case_id"),
        {
            "TrailSearched": ("case_id", "form", "found"),
            "TrailRead": ("log", "first_index", "last_index"),
            "ExportCreated": ("case_id", "entries", "manifest_digest"),
            "ExportFetched": ("export_id",),
        },
    ),
    Question(
        "Were events run again, or views of them rebuilt?",
        "有無人重新處理事件或重建資料檢視？",
        ("log", "type"),
        {"ParkedEventsReplayed": ("keys", "cured", "still_parked"), "ProjectionRebuilt": ("projection", "events")},
    ),
)

TAIL = """
## Is that all?

Each entry counts, for each subject that it names, how many came before it, and names the hash of the last: an export
shows that none in between is missing. Whatever did not come in order is itself an entry:

| type | what it says |
|---|---|
| `trail.gap` | events of this aggregate never came: from which version to which |
| `trail.conflict` | a second, different event came under an id that was taken; it was refused |
| `trail.rejected` | a record that is none of our events came; its digest is kept |
| `trail.heads` | size and root of every log at this time; each heartbeat names those of the operator's log in return |
| `trail.restored` | the trail went on from an older backup, without a signature, or on a new bus: what is lost |
| `trail.heartbeat` | the log was being kept at this time, though nothing happened |

That nothing was changed afterwards is shown by checkpoints that others hold: witnesses (C2SP), a time stamping
authority (RFC 3161), a folder elsewhere. `doorstep trail status` shows which of them vouch, and since when.
"""


def page() -> str:
    """The page. Raises KeyError or ValueError where it would name what is not there."""
    by_name = {event.__name__: (wire_type, event) for wire_type, event in EVENTS.items()}
    rows = ["| question | search by | entries, and the fields that answer |", "|---|---|---|"]
    for question in QUESTIONS:
        answers = []
        for name, fields in question.answers.items():
            wire_type, event = by_name[name]
            if strange := set(fields) - event.model_fields.keys():
                raise ValueError(f"{name} has no field {', '.join(sorted(strange))}: mend docs/court.py")
            answers.append(f"`{wire_type}`: {', '.join(f'`{field}`' for field in fields)}")
        search = ", ".join(f"`{each}`" for each in question.search)
        rows.append(f"| {question.en}<br>{question.zh} | {search} | {'<br>'.join(answers)} |")
    return "\n".join([HEAD, *rows]) + "\n" + _others() + TAIL


def _others() -> str:
    """Events that answer none of the questions, so that none is forgotten."""
    answered = {name for question in QUESTIONS for name in question.answers}
    others = sorted(event.__name__ for event in EVENTS.values() if event.__name__ not in answered)
    return f"\nFurther events, which stand in the trail, too: {', '.join(others)}.\n" if others else ""
