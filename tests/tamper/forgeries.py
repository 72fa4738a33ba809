"""Tamperings by name: what is done to the database, and what a verification must say of it. No project code here."""

import shutil
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.tamper import careful
from tests.tamper.stores import Store

LOG, OPERATOR = "lender-1", "operator"
MIDDLE = 100
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


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def leaf_of(store: Store, index: int) -> bytes:
    return bytes(store.run("SELECT leaf FROM entry WHERE log_id = $1 AND idx = $2", LOG, index)[0][0])


def hash_of(leaf: bytes) -> bytes:
    return sha256(b"\x00" + leaf).digest()


def other_leaf(leaf: bytes) -> bytes:
    """A leaf that reads well and says something else."""
    forged = leaf.replace(b'"outcome":"done"', b'"outcome":"gone"')
    assert forged != leaf
    return forged


def set_leaf(store: Store, index: int, leaf: bytes, *, hashed: bool) -> None:
    store.run("UPDATE entry SET leaf = $1 WHERE log_id = $2 AND idx = $3", leaf, LOG, index)
    if hashed:
        store.run(
            "UPDATE entry SET leaf_hash = $1, outcome = 'gone' WHERE log_id = $2 AND idx = $3",
            hash_of(leaf),
            LOG,
            index,
        )


def flip_in_leaf(place: float) -> Callable[[Store], object]:
    def do(store: Store) -> None:
        leaf = leaf_of(store, MIDDLE)
        set_leaf(store, MIDDLE, flipped(leaf, int(place * (len(leaf) - 1))), hashed=False)

    return do


def forge_whole(index: int, *, tile: bool = False) -> Callable[[Store], object]:
    """Leaf, hash and columns agree; with `tile` the tile does, too."""

    def do(store: Store) -> None:
        forged = other_leaf(leaf_of(store, index))
        set_leaf(store, index, forged, hashed=True)
        if tile:
            set_in_tile(store, index, hash_of(forged))

    return do


def set_in_tile(store: Store, index: int, digest: bytes) -> None:
    n, at = index // 256, index % 256 * 32
    query = "SELECT hashes FROM tile WHERE log_id = $1 AND level = 0 AND n = $2"
    hashes = bytes(store.run(query, LOG, n)[0][0])
    hashes = hashes[:at] + digest + hashes[at + 32 :]
    store.run("UPDATE tile SET hashes = $1 WHERE log_id = $2 AND level = 0 AND n = $3", hashes, LOG, n)


def say(statement: str, *values: object) -> Callable[[Store], object]:
    return lambda store: store.run(statement, *values)


def all_of(*steps: Callable[[Store], object]) -> Callable[[Store], object]:
    return lambda store: [step(store) for step in steps]


def swap(first: int, second: int, columns: str) -> Callable[[Store], object]:
    """Exchange these columns of two entries. What is unique goes by way of a third value."""
    names = columns.split(", ")

    def do(store: Store) -> None:
        query = f"SELECT {columns} FROM entry WHERE log_id = $1 AND idx = $2"
        [one], [two] = store.run(query, LOG, first), store.run(query, LOG, second)
        if "event_id" in names:
            store.run("UPDATE entry SET event_id = 'for a moment' WHERE log_id = $1 AND idx = $2", LOG, second)
        for index, row in ((first, two), (second, one)):
            sets = ", ".join(f"{name} = ${number}" for number, name in enumerate(names, 3))
            store.run(f"UPDATE entry SET {sets} WHERE log_id = $1 AND idx = $2", LOG, index, *row)

    return do


def shift(first: int, by: int) -> Callable[[Store], object]:
    """Move all entries from `first` on, and what stands beside them."""

    def do(store: Store) -> None:
        for table in ("entry", "entry_subject", "entry_rule"):
            store.run(f"UPDATE {table} SET idx = -(idx + {by}) WHERE log_id = $1 AND idx >= $2", LOG, first)
            store.run(f"UPDATE {table} SET idx = -idx WHERE log_id = $1 AND idx < 0", LOG)

    return do


def remove(index: int) -> Callable[[Store], object]:
    return all_of(
        *(
            say(f"DELETE FROM {table} WHERE log_id = $1 AND idx = $2", LOG, index)
            for table in ("entry", "entry_subject", "entry_rule")
        )
    )


def copy_in(source: int, index: int) -> Callable[[Store], object]:
    """A copy of an entry, under another event id, at this index."""
    names = [
        "leaf_hash", "leaf", "client_digest", "type", "case_id", "actor", "occurred_at", "recorded_at",
        "correlation_id", "outcome", "aggregate_id", "aggregate_version",
    ]  # fmt: skip
    columns = ", ".join(names)
    return say(
        f"INSERT INTO entry (log_id, idx, event_id, {columns})"
        f" SELECT log_id, {index}, 'another', {columns} FROM entry WHERE log_id = $1 AND idx = $2",
        LOG, source,
    )  # fmt: skip


def cut(size: int, *tables: str) -> Callable[[Store], object]:
    return all_of(*(say(f"DELETE FROM {table} WHERE log_id = $1 AND idx >= $2", LOG, size) for table in tables))


def newest_note(store: Store) -> tuple[int, str]:
    [[size, note]] = store.run("SELECT size, note FROM checkpoint WHERE log_id = $1 ORDER BY size DESC LIMIT 1", LOG)
    return size, note


def replay(older: str) -> Callable[[Store], object]:
    """An older checkpoint in place of the newest."""

    def do(store: Store) -> None:
        size, _ = newest_note(store)
        store.run("UPDATE checkpoint SET note = $1 WHERE log_id = $2 AND size = $3", older, LOG, size)

    return do


def take_from(log: str) -> Callable[[Store], object]:
    """The newest checkpoint of another log in place of the newest."""

    def do(store: Store) -> None:
        query = "SELECT note FROM checkpoint WHERE log_id = $1 ORDER BY size DESC LIMIT 1"
        replay(store.run(query, log)[0][0])(store)

    return do


def bend_signature(store: Store) -> None:
    size, note = newest_note(store)
    at = len(note) - 30
    bent = note[:at] + ("A" if note[at] != "A" else "B") + note[at + 1 :]
    store.run("UPDATE checkpoint SET note = $1 WHERE log_id = $2 AND size = $3", bent, LOG, size)


def rewrite(index: int, *logs: str) -> Callable[[Store], object]:
    """Another outcome of an entry, everything made to fit, and no checkpoint left of these logs."""

    def do(store: Store) -> None:
        set_leaf(store, index, other_leaf(leaf_of(store, index)), hashed=False)
        careful.rebuild(store, LOG)
        for log in logs:
            store.run("DELETE FROM checkpoint WHERE log_id = $1", log)

    return do


def without_copies_of(*logs: str) -> Callable[[Path], object]:
    return lambda folder: [shutil.rmtree(folder / log) for log in logs]


def with_older_copy(log: str, note: str) -> Callable[[Path], object]:
    def do(folder: Path) -> None:
        shutil.rmtree(folder / log)
        (folder / log).mkdir()
        (folder / log / "checkpoint").write_text(note)

    return do


def sign_by_another_key(store: Store) -> None:
    """The newest checkpoint under our name, by a key made for this test."""
    size, note = newest_note(store)
    text = note.rpartition("\n\n")[0] + "\n"
    name = note.rpartition("\n\n")[2].split(" ")[1]
    key = Ed25519PrivateKey.generate()
    raw = key.public_key().public_bytes_raw()
    key_id = sha256(name.encode() + b"\n\x01" + raw).digest()[:4]
    line = f"\u2014 {name} {b64encode(key_id + key.sign(text.encode())).decode()}\n"
    say("UPDATE checkpoint SET note = $1 WHERE log_id = $2 AND size = $3", f"{text}\n{line}", LOG, size)(store)


def made_at(text: str) -> Callable[[Store], object]:
    newest = "(SELECT max(size) FROM checkpoint WHERE log_id = $2)"
    return say(f"UPDATE checkpoint SET made_at = $1 WHERE log_id = $2 AND size = {newest}", text, LOG)


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
