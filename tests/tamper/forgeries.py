"""Tamperings by name: what is done to the database, and what a verification must say of it. No project code here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.tamper import careful
from tests.tamper.stores import Store
from tests.tamper.ways import (
    LOG,
    MIDDLE,
    all_of,
    bend_signature,
    copy_in,
    cut,
    flip_in_leaf,
    forge_whole,
    made_at,
    remove,
    replay,
    rewrite,
    say,
    set_in_tile,
    shift,
    sign_by_another_key,
    swap,
    take_from,
    with_older_copy,
    without_copies_of,
)

OPERATOR = "operator"
TAIL = 620
RULED = 0  # an entry that a rule decided
COLUMNS = (
    "event_id", "type", "case_id", "actor", "occurred_at", "recorded_at", "correlation_id", "outcome", "aggregate_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Forgery:
    """`index` and `kind` are what must be named in `log`; `against` says that only a checkpoint kept elsewhere tells.
    `on` says which database is taken in place of the true one before anything is done, `copies` what is done to the
    folder of copied checkpoints. `also`: a kind that the operator's log must name, too."""

    name: str
    kind: str
    index: int
    do: Callable[[Store], object] = lambda store: None
    against: bool = False
    on: str = "trail"
    copies: Callable[[Path], object] = lambda folder: None
    log: str = LOG
    also: str | None = None


HERE = "WHERE log_id = $1 AND idx = $2"
LAST_AGGREGATE = f"SELECT aggregate_id FROM entry {HERE}"
ALL_COLUMNS = ", ".join(
    ("leaf", "leaf_hash", "client_digest", *COLUMNS, "aggregate_version"),
)


Notes = Mapping[str, Mapping[int, str]]


def careful_forgeries(size: int, notes: Notes) -> list[Forgery]:
    """Those of a forger without any key who makes everything fit, removes checkpoints, and the copies of them. `notes`
    are the checkpoints that were ever published, by log and size."""
    sizes = sorted(notes[LOG])
    first, last_but_one = sizes[0], sizes[-2]
    operator = max(notes["operator"])
    return [
        Forgery("checkpoints are removed", "unsigned", 0, say("DELETE FROM checkpoint WHERE log_id = $1", LOG)),
        Forgery(
            "checkpoints and their copies are removed",
            "unsigned",
            0,
            say("DELETE FROM checkpoint WHERE log_id = $1", LOG),
            copies=without_copies_of(LOG),
        ),
        Forgery("the copies are removed", "unsigned", 0, copies=without_copies_of(LOG)),
        Forgery("the copies are older ones", "unsigned", first, copies=with_older_copy(LOG, notes[LOG][first])),
        Forgery("a log is rewritten, its checkpoints are removed", "unsigned", 0, rewrite(MIDDLE, LOG)),
        Forgery(
            "a log is rewritten, its checkpoints and copies are removed",
            "unsigned",
            0,
            rewrite(MIDDLE, LOG),
            copies=without_copies_of(LOG),
        ),
        Forgery(
            "an entry is added with all that goes with it", "unsigned", size, lambda s: careful.append(s, LOG, size)
        ),
        Forgery(
            "a log is as it was, copies and all",
            "rolled-back",
            first,
            lambda s: careful.cut(s, LOG, first, notes[LOG][first]),
            copies=with_older_copy(LOG, notes[LOG][first]),
            also="source-missing",
        ),
        Forgery(
            "a log is as it was after the last word about it, copies and all",
            "source-missing",
            operator,
            lambda s: careful.cut(s, LOG, last_but_one, notes[LOG][last_but_one]),
            copies=with_older_copy(LOG, notes[LOG][last_but_one]),
            log="operator",
        ),
        Forgery(
            "a log is removed, copies and all",
            "rolled-back",
            0,
            lambda s: careful.forget(s, LOG),
            copies=without_copies_of(LOG),
            also="source-missing",
        ),
        Forgery(
            "the operator's log is removed, copies and all",
            "rolled-back",
            0,
            lambda s: careful.forget(s, "operator"),
            copies=without_copies_of("operator"),
            log="operator",
        ),
        Forgery(
            "a position is turned back",
            "source-missing",
            size - 4,
            say("UPDATE kafka_pos SET next_offset = next_offset - 5"),
        ),
        Forgery("a position is removed", "source-missing", 0, say("DELETE FROM kafka_pos"), also="source-missing"),
        Forgery(
            "a position is moved on",
            "source-missing",
            operator,
            say("UPDATE kafka_pos SET next_offset = next_offset + 3"),
            log="operator",
        ),
        Forgery(
            "a record is said to have come again",
            "source-missing",
            operator,
            say("INSERT INTO source_skip SELECT 0, topic, part, 5, '', '' FROM kafka_pos"),
            log="operator",
        ),
        Forgery("a trigger stays off", "trigger-missing", operator, lambda s: s.leave_off(), log="operator"),
        Forgery("a trigger does nothing", "trigger-missing", operator, lambda s: s.empty(), log="operator"),
        Forgery("a checkpoint was made a year ago", "time-changed", size, made_at("2025-01-01T00:00:00+00:00")),
        Forgery("a checkpoint was made tomorrow", "time-changed", size, made_at("2199-01-01T00:00:00+00:00")),
        Forgery("a checkpoint is signed by another key", "key-unknown", size, sign_by_another_key),
    ]


def forgeries(size: int, backup: int, older: str, notes: Notes) -> list[Forgery]:
    """All of them, for a log of this size, of which the backup had so many entries, and this checkpoint."""
    first = "ref = (SELECT ref FROM entry_subject WHERE log_id = $1 AND idx = $2 ORDER BY ref LIMIT 1)"
    its_head = f"WHERE log_id = $1 AND {first}"
    return [
        *(
            Forgery(f"a bit of a leaf, at {int(place * 100)} %", "leaf-altered", MIDDLE, flip_in_leaf(place))
            for place in (0, 0.5, 1)
        ),
        Forgery("a leaf and its hash", "leaf-altered", MIDDLE, forge_whole(MIDDLE)),
        Forgery("a leaf, its hash and its tile", "leaf-altered", MIDDLE, forge_whole(MIDDLE, tile=True)),
        Forgery("a leaf of the tail and its hash", "leaf-altered", TAIL, forge_whole(TAIL)),
        *(
            Forgery(
                f"column {name}",
                "projection-differs",
                MIDDLE,
                say(f"UPDATE entry SET {name} = 'forged' {HERE}", LOG, MIDDLE),
            )
            for name in COLUMNS
        ),
        *(
            Forgery(
                f"column {name}",
                "projection-differs",
                MIDDLE,
                say(f"UPDATE entry SET {name} = $3 {HERE}", LOG, MIDDLE, value),
            )
            for name, value in (("leaf_hash", bytes(32)), ("client_digest", bytes(32)), ("aggregate_version", 77))
        ),
        Forgery(
            "column leaf_hash in the tail",
            "projection-differs",
            TAIL,
            say(f"UPDATE entry SET leaf_hash = $3 {HERE}", LOG, TAIL, bytes(32)),
        ),
        Forgery(
            "a row of the subjects is gone",
            "projection-differs",
            MIDDLE,
            say(f"DELETE FROM entry_subject {HERE}", LOG, MIDDLE),
        ),
        Forgery(
            "a row of the subjects is new",
            "projection-differs",
            MIDDLE,
            say("INSERT INTO entry_subject (log_id, ref, n, idx) VALUES ($1, 'case:forged', 1, $2)", LOG, MIDDLE),
        ),
        Forgery(
            "a row of the subjects names another",
            "projection-differs",
            MIDDLE,
            say(f"UPDATE entry_subject SET ref = 'x' || ref {HERE}", LOG, MIDDLE),
        ),
        Forgery(
            "a row of the rules is gone",
            "projection-differs",
            RULED,
            say(f"DELETE FROM entry_rule {HERE}", LOG, RULED),
        ),
        Forgery(
            "a row of the rules is new",
            "projection-differs",
            MIDDLE,
            say("INSERT INTO entry_rule (log_id, rule_id, idx) VALUES ($1, 'forged', $2)", LOG, MIDDLE),
        ),
        Forgery(
            "a subject's head counts one more",
            "projection-differs",
            size - 1,
            say(f"UPDATE subject_head SET n = n + 1 {its_head}", LOG, size - 1),
        ),
        Forgery(
            "a subject's head has another hash",
            "projection-differs",
            size - 1,
            say(f"UPDATE subject_head SET prev = $3 {its_head}", LOG, size - 1, bytes(32)),
        ),
        Forgery(
            "a subject's head is gone",
            "projection-differs",
            size - 1,
            say(
                f"DELETE FROM subject_head {its_head}",
                LOG,
                size - 1,
            ),
        ),
        *(
            Forgery(
                f"an aggregate's head {name}",
                "projection-differs",
                size - 1,
                say(f"{statement} WHERE aggregate_id = ({LAST_AGGREGATE})", LOG, size - 1),
            )
            for name, statement in (
                ("counts one more", "UPDATE aggregate_head SET version = version + 1"),
                ("counts one less", "UPDATE aggregate_head SET version = version - 1"),
                ("is gone", "DELETE FROM aggregate_head"),
            )
        ),
        Forgery("a hash in a tile", "tile-differs", MIDDLE, lambda store: set_in_tile(store, MIDDLE, bytes(32))),
        Forgery(
            "a tile is gone",
            "tile-differs",
            256,
            say("DELETE FROM tile WHERE log_id = $1 AND level = 0 AND n = 1", LOG),
        ),
        Forgery(
            "a tile is cut",
            "tile-differs",
            256,
            say("UPDATE tile SET hashes = $2 WHERE log_id = $1 AND level = 0 AND n = 1", LOG, bytes(33)),
        ),
        Forgery(
            "the head's root", "root-differs", size, say("UPDATE head SET root = $2 WHERE log_id = $1", LOG, bytes(32))
        ),
        Forgery(
            "the head's right edge",
            "root-differs",
            size,
            say("UPDATE head SET frontier = $2 WHERE log_id = $1", LOG, bytes(64)),
        ),
        Forgery("the head is gone", "root-differs", size, say("DELETE FROM head WHERE log_id = $1", LOG)),
        Forgery(
            "the head is turned back",
            "entry-inserted",
            size - 5,
            say("UPDATE head SET size = size - 5 WHERE log_id = $1", LOG),
        ),
        Forgery("an entry is deleted", "entry-missing", MIDDLE, say(f"DELETE FROM entry {HERE}", LOG, MIDDLE)),
        Forgery(
            "an entry is deleted, the rest moved up", "entry-missing", MIDDLE, all_of(remove(MIDDLE), shift(MIDDLE, -1))
        ),
        Forgery("the first entry is deleted", "entry-missing", 0, say(f"DELETE FROM entry {HERE}", LOG, 0)),
        Forgery("two leaves are swapped", "order-changed", MIDDLE, swap(MIDDLE, MIDDLE + 50, "leaf")),
        Forgery("two entries are swapped", "order-changed", MIDDLE, swap(MIDDLE, MIDDLE + 300, ALL_COLUMNS)),
        Forgery(
            "an entry is inserted, the rest moved down",
            "entry-inserted",
            MIDDLE,
            all_of(
                shift(MIDDLE, 1),
                copy_in(MIDDLE - 50, MIDDLE),
                say("UPDATE head SET size = size + 1 WHERE log_id = $1", LOG),
            ),
        ),
        Forgery("an entry is appended", "entry-inserted", size, copy_in(MIDDLE, size)),
        Forgery("the tail is cut", "tail-cut", size - 40, cut(size - 40, "entry")),
        Forgery(
            "the tail is cut everywhere, the head turned back",
            "tail-cut",
            size - 40,
            all_of(
                cut(size - 40, "entry", "entry_subject", "entry_rule"),
                say("UPDATE head SET size = $2 WHERE log_id = $1", LOG, size - 40),
            ),
        ),
        Forgery("an older backup is put in place", "rolled-back", backup, against=True, on="backup"),
        Forgery("another trail of the same size is put in place", "forked", size, against=True, on="fork"),
        Forgery(
            "the log is removed without a trace",
            "rolled-back",
            0,
            lambda s: careful.forget(s, LOG),
            also="source-missing",
        ),
        Forgery("an older checkpoint stands for the newest", "checkpoint-replayed", size, replay(older)),
        Forgery("a checkpoint of another log stands here", "checkpoint-replayed", size, take_from("lender-2")),
        Forgery(
            "a checkpoint was made at no time",
            "projection-differs",
            size,
            say("UPDATE checkpoint SET made_at = 'long ago' WHERE log_id = $1 AND size = $2", LOG, size),
        ),
        Forgery("a signature is bent", "signature-bad", size, bend_signature),
        Forgery(
            "a checkpoint is no note",
            "signature-bad",
            size,
            say("UPDATE checkpoint SET note = 'trust me' WHERE log_id = $1 AND size = $2", LOG, size),
        ),
        *careful_forgeries(size, notes),
    ]
