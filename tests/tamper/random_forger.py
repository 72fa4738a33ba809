"""One tampering, drawn from a seed: `python random_forger.py DATABASE SEED`. It knows the tables from outside only and
imports no project code; it says in JSON what it did, in which log, and between which indexes that must be found."""

import json
import sys
from contextlib import closing
from random import Random

from stores import Store, open_store

# Of the keys only these are bent; when a checkpoint was made (made_at) is covered by no hash.
KEYS = {"idx", "size", "level", "n"}
KEYS_BENT = {("head", "size"), ("subject_head", "n"), ("entry_subject", "idx")}
TABLES = ("entry", "entry", "entry", "entry_subject", "entry_rule", "subject_head", "tile", "head", "checkpoint")


class Forger:
    def __init__(self, store: Store, random: Random) -> None:
        self.store = store
        self.random = random
        self.log = random.choice(
            [log for log, size in store.run("SELECT log_id, size FROM head ORDER BY log_id") if size > 1]
        )
        [[self.size]] = store.run("SELECT size FROM head WHERE log_id = $1", self.log)

    def forge(self) -> dict[str, object]:
        do = self.random.choice([self.bend, self.bend, self.bend, self.delete, self.swap, self.cut, self.append])
        what, first, last = do()
        return {"what": what, "log": self.log, "first": first, "last": last}

    def rows(self, table: str) -> list[dict[str, object]]:
        columns = self.columns(table)
        found = self.store.run(f"SELECT {', '.join(columns)} FROM {table} WHERE log_id = $1", self.log)
        return sorted((dict(zip(columns, row, strict=True)) for row in found), key=repr)

    def columns(self, table: str) -> list[str]:
        known = {
            "entry": "idx leaf_hash leaf event_id client_digest type case_id actor occurred_at recorded_at"
            " correlation_id outcome aggregate_id aggregate_version",
            "entry_subject": "ref n idx",
            "entry_rule": "rule_id idx",
            "subject_head": "ref n prev",
            "tile": "level n hashes",
            "head": "size root frontier",
            "checkpoint": "size note",
        }
        return known[table].split()

    def pick(self, table: str) -> dict[str, object]:
        return self.random.choice(self.rows(table) or self.rows("entry"))

    def where(self, table: str, row: dict[str, object]) -> tuple[str, list[object]]:
        keys = {
            "entry": ["idx"], "entry_subject": ["ref", "n"], "entry_rule": ["rule_id", "idx"], "subject_head": ["ref"],
            "tile": ["level", "n"], "head": [], "checkpoint": ["size"],
        }[table]  # fmt: skip
        names = ["log_id", *keys]
        return " AND ".join(f"{name} = ${at}" for at, name in enumerate(names, 1)), [
            self.log,
            *(row[key] for key in keys),
        ]

    def bend(self) -> tuple[str, int, int]:
        """One bit of one column of one row; a number by one; NULL becomes a word."""
        table = self.random.choice([table for table in TABLES if self.rows(table)])
        row = self.pick(table)
        column = self.random.choice([name for name in row if name not in KEYS or (table, name) in KEYS_BENT])
        where, values = self.where(table, row)
        value = self.bent(row[column])
        self.store.run(f"UPDATE {table} SET {column} = ${len(values) + 1} WHERE {where}", *values, value)
        first, last = self.span(table, row)
        moved = int((table, column) == ("entry_subject", "idx"))
        return f"{column} of {table} bent", first - moved, last + moved

    def bent(self, value: object) -> object:
        if value is None:
            return "forged"
        if isinstance(value, int):
            return value + self.random.choice([-1, 1])
        if isinstance(value, str):
            places = [at for at, letter in enumerate(value) if letter.isascii()]
            at = self.random.choice(places)
            return value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :]
        data = bytes(value)  # type: ignore[call-overload]
        at = self.random.randrange(len(data))
        return data[:at] + bytes([data[at] ^ (1 << self.random.randrange(8))]) + data[at + 1 :]

    def span(self, table: str, row: dict[str, object]) -> tuple[int, int]:
        """Where it must be found."""
        if table == "checkpoint":
            return int(str(row["size"])), int(str(row["size"]))
        if table == "head":
            return self.size - 1, self.size
        if table == "tile":
            width = 256 ** int(str(row["level"]))
            first = int(str(row["n"])) * 256 * width
            return first, first + 256 * width - 1
        if table == "subject_head":
            query = "SELECT max(idx) FROM entry_subject WHERE log_id = $1 AND ref = $2"
            [[index]] = self.store.run(query, self.log, row["ref"])
            return index, max(index, self.size)
        return int(str(row["idx"])), int(str(row["idx"]))

    def delete(self) -> tuple[str, int, int]:
        tables = [table for table in TABLES if table != "checkpoint" and self.rows(table)]
        table = self.random.choice(tables)
        row = self.pick(table)
        span = self.span(table, row)
        where, values = self.where(table, row)
        self.store.run(f"DELETE FROM {table} WHERE {where}", *values)
        return f"a row of {table} deleted", *span

    def swap(self) -> tuple[str, int, int]:
        one, two = self.random.sample(self.rows("entry"), 2)
        names = [name for name in one if name not in ("idx", "event_id")]
        for index, row in ((one["idx"], two), (two["idx"], one)):
            sets = ", ".join(f"{name} = ${at}" for at, name in enumerate(names, 3))
            values = [row[name] for name in names]
            self.store.run(f"UPDATE entry SET {sets} WHERE log_id = $1 AND idx = $2", self.log, index, *values)
        first, last = sorted([int(str(one["idx"])), int(str(two["idx"]))])
        return "two entries swapped", first, last

    def cut(self) -> tuple[str, int, int]:
        left = self.random.randrange(self.size)
        for table in ("entry", "entry_subject", "entry_rule"):
            self.store.run(f"DELETE FROM {table} WHERE log_id = $1 AND idx >= $2", self.log, left)
        return "the tail cut", left, left

    def append(self) -> tuple[str, int, int]:
        row = self.pick("entry") | {"idx": self.size, "event_id": "forged"}
        marks = ", ".join(f"${at}" for at in range(2, len(row) + 2))
        names = ", ".join(row)
        self.store.run(f"INSERT INTO entry (log_id, {names}) VALUES ($1, {marks})", self.log, *row.values())
        return "an entry appended", self.size, self.size


def main() -> None:
    url, seed = sys.argv[1:]
    with closing(open_store(url)) as store:
        sys.stdout.write(json.dumps(Forger(store, Random(seed)).forge()) + "\n")


if __name__ == "__main__":
    main()
