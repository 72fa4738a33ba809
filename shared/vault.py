"""The vault of a service: the keys of subjects, each wrapped by a master key, and what they seal.

A subject is a path, such as `debtor/…` or `case/…/visit/…`: to destroy a subject destroys what is below it, too. A
class says which of its data a key seals. `open` reads what `seal` made, and what earlier releases made.
"""

import hmac
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from os import urandom
from typing import Any

from cryptography.exceptions import InvalidTag
from sqlalchemy import Column as C
from sqlalchemy import (
    ColumnElement,
    Executable,
    LargeBinary,
    MetaData,
    Result,
    Row,
    Table,
    Text,
    delete,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql

from shared.bulk import among, insert_into
from shared.clock import monotonic_seconds, system_now
from shared.database import Database, Transaction, UtcTime
from shared.errors import CannotRun, Gone, Unavailable
from shared.keyring import Keyring
from shared.sealing import KEY_BYTES, Place, Sealer, SubjectKey
from shared.settings import SettingsRefused
from shared.tenants import owned

KEYS_CACHED_MAX = 10_000
CACHED_SECONDS_MAX = 30.0
"""A key that another process destroys is not used for longer than this."""

BEFORE = "before"
"""The id of the master key of the release that knew no key ids. Keys that it wrapped have it until wrapped again."""
_BEFORE_PURPOSE = "subject-key"

_CHECK = ("digest-secret", "check")
_SUBJECTS_AT_ONCE = 500


def subject_key_table(metadata: MetaData) -> Table:
    """One row a subject and class. Of a destroyed key the row stays, without the key: the subject gets no other."""
    path = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")  # paths are compared byte by byte
    return Table(
        "subject_key",
        metadata,
        C("subject", path, primary_key=True),
        C("class", Text, primary_key=True),
        C("wrapped", LargeBinary),
        C("kek_id", Text),
        C("destroyed_at", UtcTime),
        **owned(tenant=None, because="A key opens nothing without its sealed row, and that row has a lender."),
    )


class Erased(Gone):
    """The key of these data was destroyed."""

    def __init__(self) -> None:
        super().__init__("erased", "These data were erased: their key was destroyed, so they cannot be read again.")


@dataclass(frozen=True, slots=True)
class Item:
    """Bytes of a subject at a place: to seal, or sealed."""

    subject: str
    place: Place
    content: bytes


Owner = tuple[str, str]


class Vault:
    """The keys of one service in one process. Keys that were unwrapped are cached, at most KEYS_CACHED_MAX of them."""

    def __init__(self, table: Table, keyring: Keyring, digest_secret: bytes) -> None:
        self.table = table
        self.keyring = keyring
        self.before = Sealer(digest_secret)
        """The master key of an earlier release: its data are sealed by it, and it became the digest secret."""
        self._digest_secret = digest_secret
        self._cache: OrderedDict[Owner, tuple[SubjectKey, float]] = OrderedDict()

    def of(self, tx: Transaction) -> "OpenVault":
        return OpenVault(self, tx)

    def subject_of(self, kind: str, name: str) -> str:
        """The subject of a name that may say who a person is, as a keyed digest."""
        return f"{kind}/{hmac.digest(self._digest_secret, f'{kind}/{name}'.encode(), sha256)[:16].hex()}"

    def unwrapped(self, row: Row[*tuple[Any, ...]]) -> bytes:
        """The key of a row. Raises Erased, or Unavailable where its master key is not in the file."""
        subject, of_class, wrapped, kek_id = row
        if wrapped is None:
            raise Erased
        if kek_id == BEFORE:
            return self.before.open(wrapped, _BEFORE_PURPOSE)
        return self.keyring.find(kek_id).unwrap(wrapped, subject, of_class)

    def cached(self, owner: Owner) -> SubjectKey | None:
        found = self._cache.get(owner)
        if found is None or monotonic_seconds() - found[1] > CACHED_SECONDS_MAX:
            return None
        self._cache.move_to_end(owner)
        return found[0]

    def cache(self, owner: Owner, key: SubjectKey) -> None:
        self._cache[owner] = key, monotonic_seconds()
        self._cache.move_to_end(owner)
        while len(self._cache) > KEYS_CACHED_MAX:
            self._cache.popitem(last=False)

    def drop(self, subject: str) -> None:
        """Forget the cached keys of a subject and of what is below it."""
        for owner in [each for each in self._cache if f"{each[0]}/".startswith(f"{subject}/")]:
            del self._cache[owner]

    async def begin(self, database: Database) -> None:
        """Hold the digest secret and the master keys to what this database knows of them. Raises SettingsRefused where
        they are those of other data, CannotRun where a master key is missing."""
        t, fingerprint = self.table.c, hmac.digest(self._digest_secret, b"doorstep/fingerprint", sha256)
        columns = select(t.subject, t["class"], t.wrapped, t.kek_id)
        check = columns.where(t.subject == _CHECK[0], t["class"] == _CHECK[1])
        async with database.reading() as tx:
            found = (await tx.session.execute(check)).one_or_none()
            before = (await tx.session.execute(columns.where(t.kek_id == BEFORE).limit(1))).one_or_none()
        if before is not None:
            try:
                self.unwrapped(before)
            except InvalidTag:
                raise _other_secret() from None
        if found is None:
            kek = self.keyring.newest
            row = {
                "subject": _CHECK[0],
                "class": _CHECK[1],
                "kek_id": kek.id,
                "wrapped": kek.wrap(fingerprint, *_CHECK),
            }
            async with database.transaction() as tx:
                await tx.session.execute(insert_into(tx, self.table).values(row).on_conflict_do_nothing())
                found = (await tx.session.execute(check)).one()
        try:
            known = self.unwrapped(found)
        except Unavailable as missing:
            raise CannotRun(missing.detail) from missing
        if not hmac.compare_digest(known, fingerprint):
            raise _other_secret()


def _other_secret() -> SettingsRefused:
    return SettingsRefused(
        "The digest secret is not the one that these data were made with: known debtors would not be recognised. Give "
        "back the file of the digest secret (DOORSTEP_DIGEST_SECRET_FILE, or digest.key in the keys folder). In an "
        "installation that was made without one, it is a copy of the master key of that time."
    )


@dataclass(slots=True)
class OpenVault:
    """The vault within a transaction. A key that the transaction makes is kept by the commit, or goes with it."""

    vault: Vault
    tx: Transaction
    _made: dict[Owner, SubjectKey] = field(default_factory=dict)

    def subject_of(self, kind: str, name: str) -> str:
        return self.vault.subject_of(kind, name)

    async def seal(self, subject: str, of_class: str, place: Place, plain: bytes, *, new: bool = False) -> bytes:
        """Seal bytes for their place, by the key of the subject; it is made if there is none. `new` says that the
        subject cannot have one yet. Raises Erased where the key was destroyed."""
        [sealed] = await self.seal_all(of_class, [Item(subject, place, plain)], new=new)
        return sealed

    async def seal_all(self, of_class: str, items: Sequence[Item], *, new: bool = False) -> list[bytes]:
        """Seal many, in order; keys that are missing are made by one statement."""
        owners = dict.fromkeys((item.subject, of_class) for item in items)
        keys = self._known(owners)
        missing = [owner for owner in owners if owner not in keys]
        if not new:
            keys |= await self._load(missing)
            missing = [owner for owner in missing if owner not in keys]
        keys |= await self._make(missing, new=new)
        return [_existing(keys[item.subject, of_class]).seal(item.place, item.content) for item in items]

    async def open(self, subject: str, of_class: str, place: Place, sealed: bytes) -> bytes:
        """The plain bytes. Raises Erased where the key was destroyed, InvalidTag for bytes that were altered or are
        sealed for another place."""
        [plain] = await self.open_all(of_class, [Item(subject, place, sealed)])
        if plain is None:
            raise Erased
        return plain

    async def open_all(self, of_class: str, items: Sequence[Item]) -> list[bytes | None]:
        """Open many, in order; None for what was erased."""
        owners = dict.fromkeys((item.subject, of_class) for item in items)
        keys = self._known(owners)
        keys |= await self._load([owner for owner in owners if owner not in keys])
        return [self._opened(item, keys, (item.subject, of_class)) for item in items]

    def _opened(self, item: Item, keys: dict[Owner, SubjectKey | None], owner: Owner) -> bytes | None:
        key, place = keys.get(owner), item.place
        if key is None and owner in keys:
            return None
        if key is not None and key.has_sealed(item.content):
            return key.open(place, item.content)
        sealer = self.vault.before if place.by_master else key.before if key is not None else None
        if not place.before or sealer is None:
            raise InvalidTag
        return sealer.open(item.content, place.before)

    async def destroy(self, subject: str) -> int:
        """Erase what was sealed for a subject and what is below it: nothing opens it any more, and nothing more is
        sealed for it. Returns how many keys were destroyed. Processes forget a cached key within CACHED_SECONDS_MAX."""
        t = self.vault.table.c
        statement = update(self.vault.table).where(self._below(subject), t.destroyed_at.is_(None))
        gone = await self._execute(
            statement.values(wrapped=None, kek_id=None, destroyed_at=system_now()).returning(t.subject, t["class"])
        )
        count = len(gone.all())
        self._drop(subject)
        return count

    async def forget(self, subject: str) -> None:
        """Remove the keys of a subject whose sealed bytes this transaction deletes. Nothing may be sealed for it
        afterwards: another process may still have the key in its cache."""
        await self._execute(delete(self.vault.table).where(self._below(subject)))
        self._drop(subject)

    async def _execute(
        self, statement: Executable, rows: Sequence[Mapping[str, Any]] | None = None
    ) -> Result[*tuple[Any, ...]]:
        """Rows of the session that wait for their flush go on waiting: they have nothing to do with keys."""
        with self.tx.session.no_autoflush:
            return await self.tx.session.execute(statement, rows)

    def _below(self, subject: str) -> ColumnElement[bool]:
        path = self.vault.table.c.subject
        return or_(path == subject, (path >= f"{subject}/") & (path < f"{subject}0"))  # 0 comes after /

    def _drop(self, subject: str) -> None:
        self.vault.drop(subject)
        for owner in [each for each in self._made if f"{each[0]}/".startswith(f"{subject}/")]:
            del self._made[owner]

    def _known(self, owners: Collection[Owner]) -> dict[Owner, SubjectKey | None]:
        found = {owner: self._made.get(owner) or self.vault.cached(owner) for owner in owners}
        return {owner: key for owner, key in found.items() if key is not None}

    async def _load(self, owners: Sequence[Owner]) -> dict[Owner, SubjectKey | None]:
        """The keys that are there; None for those that were destroyed."""
        t = self.vault.table.c
        keys: dict[Owner, SubjectKey | None] = {}
        for at in range(0, len(owners), _SUBJECTS_AT_ONCE):
            some = owners[at : at + _SUBJECTS_AT_ONCE]
            rows = await self._execute(
                select(t.subject, t["class"], t.wrapped, t.kek_id).where(
                    t["class"] == some[0][1], among(self.tx, t.subject, [subject for subject, _ in some])
                )
            )
            for row in rows:
                owner = row[0], row[1]
                keys[owner] = None if row.wrapped is None else SubjectKey(self.vault.unwrapped(row))
        for owner, key in keys.items():
            if key is not None:
                self.vault.cache(owner, key)
        return keys

    async def _make(self, owners: Sequence[Owner], *, new: bool) -> dict[Owner, SubjectKey | None]:
        """New keys. Where another transaction makes the same key at this moment, its key counts."""
        if not owners:
            return {}
        table, kek = self.vault.table, self.vault.keyring.newest
        made = {
            owner: urandom(KEY_BYTES) for owner in sorted(owners)
        }  # in one order: two at once never block each other
        rows = [
            {"subject": owner[0], "class": owner[1], "wrapped": kek.wrap(key, *owner), "kek_id": kek.id}
            for owner, key in made.items()
        ]
        if new:
            await self._execute(insert(table), rows)
            ours = set(made)
        else:
            adding = insert_into(self.tx, table).on_conflict_do_nothing().returning(table.c.subject, table.c["class"])
            ours = {(row[0], row[1]) for row in await self._execute(adding, rows)}
        keys = {owner: SubjectKey(key) for owner, key in made.items() if owner in ours}
        self._made |= keys
        return {**keys, **await self._load([owner for owner in made if owner not in ours])}


def _existing(key: SubjectKey | None) -> SubjectKey:
    if key is None:
        raise Erased
    return key
