"""A careful forger: whatever is done to the leaves of a log, everything that follows from them is made to fit again:
hashes, chains, columns, indexes, tiles, heads. No project code here, and no key: only RFC 6962 and the tables."""

import json
from hashlib import sha256

from tests.tamper.stores import Store

CLIENT = b"doorstep/client/v1\x00"
TILE = 256


def rebuild(store: Store, log: str) -> None:
    """Make everything of a log follow from its leaves as they are now, in the order of their indexes."""
    rows = store.run("SELECT idx, leaf FROM entry WHERE log_id = $1 ORDER BY idx", log)
    subjects: dict[str, tuple[int, bytes]] = {}
    hashes = []
    for index, data in rows:
        leaf = json.loads(bytes(data))
        for subject in leaf["subjects"]:
            n, before = subjects.get(subject["ref"], (0, b""))
            subject["n"], subject["prev"] = n + 1, before.hex() or None
        data = canonical(leaf)
        digest = sha256(b"\x00" + data).digest()
        for subject in leaf["subjects"]:
            subjects[subject["ref"]] = (subject["n"], digest)
        hashes.append(digest)
        _write(store, log, index, leaf, data, digest)
    store.run("DELETE FROM subject_head WHERE log_id = $1", log)
    for ref, (n, digest) in subjects.items():
        store.run("INSERT INTO subject_head (log_id, ref, n, prev) VALUES ($1, $2, $3, $4)", log, ref, n, digest)
    _rebuild_tree(store, log, hashes)
    rebuild_aggregates(store)


def canonical(leaf: object) -> bytes:
    return json.dumps(leaf, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def client_digest(leaf: dict[str, object]) -> bytes:
    kind, data = str(leaf["type"]).encode(), canonical(leaf["data"])
    name = bytes.fromhex(str(leaf["eventId"]).replace("-", ""))
    return sha256(CLIENT + name + len(kind).to_bytes(4, "big") + kind + data).digest()


def _write(store: Store, log: str, index: int, leaf: dict[str, object], data: bytes, digest: bytes) -> None:
    store.run(
        "UPDATE entry SET leaf = $3, leaf_hash = $4, client_digest = $5, outcome = $6, recorded_at = $7, event_id = $8"
        " WHERE log_id = $1 AND idx = $2",
        log, index, data, digest, client_digest(leaf), leaf["outcome"], leaf["recordedAt"], leaf["eventId"],
    )  # fmt: skip
    store.run("DELETE FROM entry_subject WHERE log_id = $1 AND idx = $2", log, index)
    for subject in leaf["subjects"]:  # type: ignore[attr-defined]
        store.run(
            "INSERT INTO entry_subject (log_id, ref, n, idx) VALUES ($1, $2, $3, $4)",
            log, subject["ref"], subject["n"], index,
        )  # fmt: skip


def _rebuild_tree(store: Store, log: str, hashes: list[bytes]) -> None:
    store.run("DELETE FROM tile WHERE log_id = $1", log)
    for n in range(len(hashes) // TILE):
        whole = b"".join(hashes[n * TILE : (n + 1) * TILE])
        store.run("INSERT INTO tile (log_id, level, n, hashes) VALUES ($1, 0, $2, $3)", log, n, whole)
    edge, start = [], 0
    for height in reversed(range(len(hashes).bit_length())):
        if len(hashes) >> height & 1:
            edge.append(root(hashes[start : start + (1 << height)]))
            start += 1 << height
    store.run(
        "UPDATE head SET size = $2, root = $3, frontier = $4 WHERE log_id = $1",
        log, len(hashes), root(hashes), b"".join(edge),
    )  # fmt: skip


def root(hashes: list[bytes]) -> bytes:
    """RFC 6962, 2.1."""
    if len(hashes) <= 1:
        return hashes[0] if hashes else sha256(b"").digest()
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return sha256(b"\x01" + root(hashes[:split]) + root(hashes[split:])).digest()


def rebuild_aggregates(store: Store) -> None:
    store.run("DELETE FROM aggregate_head")
    store.run(
        "INSERT INTO aggregate_head (aggregate_id, version) SELECT aggregate_id, max(aggregate_version) FROM entry"
        " WHERE aggregate_id IS NOT NULL GROUP BY aggregate_id"
    )


def forget(store: Store, log: str) -> None:
    """A log without a trace in the database."""
    for table in ("entry", "entry_subject", "entry_rule", "subject_head", "tile", "head", "checkpoint"):
        store.run(f"DELETE FROM {table} WHERE log_id = $1", log)
    rebuild_aggregates(store)


def cut(store: Store, log: str, size: int, note: str, made_at: str | None = None) -> None:
    """A log as it was at this size, under the checkpoint that was signed then."""
    [[newest_made_at]] = store.run("SELECT max(made_at) FROM checkpoint WHERE log_id = $1", log)
    for table in ("entry", "entry_subject", "entry_rule"):
        store.run(f"DELETE FROM {table} WHERE log_id = $1 AND idx >= $2", log, size)
    store.run("DELETE FROM checkpoint WHERE log_id = $1", log)
    rebuild(store, log)
    store.run(
        "INSERT INTO checkpoint (log_id, size, note, made_at) VALUES ($1, $2, $3, $4)",
        log, size, note, made_at or newest_made_at,
    )  # fmt: skip


def append(store: Store, log: str, size: int) -> None:
    """One entry more, that never was: a copy of another under an id of its own, with everything that goes with it."""
    [[leaf]] = store.run("SELECT leaf FROM entry WHERE log_id = $1 AND idx = $2", log, size - 2)
    forged = json.loads(bytes(leaf))
    forged["eventId"] = "01234567-89ab-7def-8123-456789abcdef"
    names = "leaf_hash, type, case_id, actor, occurred_at, recorded_at, correlation_id, outcome, aggregate_id"
    store.run(
        f"INSERT INTO entry (log_id, idx, leaf, event_id, client_digest, {names}, aggregate_version)"
        f" SELECT log_id, $3, $4, $5, client_digest, {names}, aggregate_version FROM entry"
        " WHERE log_id = $1 AND idx = $2",
        log, size - 2, size, canonical(forged), forged["eventId"],
    )  # fmt: skip
    rebuild(store, log)
