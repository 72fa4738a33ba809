"""What a forger does to the rows of a trail or to copies of its checkpoints, one step each. No project code here."""

import shutil
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.tamper import careful
from tests.tamper.stores import Store

LOG = "lender-1"
MIDDLE = 100


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
