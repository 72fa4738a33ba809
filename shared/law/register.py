"""Which version of the law is in force: a plain value that holds every version of every pack with the day from which
it applies. At one business time there is one answer, everywhere: the newest version whose day has come.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache, lru_cache

from shared.law.facts import Facts
from shared.law.jurisdictions import country_named, laws_named, laws_of
from shared.law.packs import RulePack, load_packs
from shared.law.places import local_day
from shared.versions.domain import newest_on

HOUSE = "house"
SINCE_EVER = date.min


class UnknownVersion(LookupError):
    """A stored decision names a version of a pack that this register does not hold."""


class OutOfPlace(ValueError):
    """A pack lies within one that is not in force, or within itself."""


@dataclass(frozen=True)
class Version:
    """A pack and the first local day on which it is the law."""

    pack: RulePack
    effective_from: date = SINCE_EVER


@dataclass(frozen=True, eq=False)
class Law:
    """All versions in the order in which they were activated; of two for the same day the later one counts."""

    versions: tuple[Version, ...]

    def with_version(self, pack: RulePack, effective_from: date = SINCE_EVER) -> "Law":
        """The law with one more version. Raises OutOfPlace."""
        law = replace(self, versions=(*self.versions, Version(pack, effective_from)))
        path, outer = [pack.id], pack.within
        while outer is not None:
            path.append(outer)
            found = law.in_force(outer, effective_from)
            if found is None:
                raise OutOfPlace(f"{pack.id}: within: no pack {outer} is in force on {effective_from}")
            if outer in path[:-1]:
                raise OutOfPlace(f"{pack.id}: within: a ring: {' in '.join(path)}")
            outer = found.within
        return law

    def without(self, digest: str) -> "Law":
        """The law without a version that does not ship with the project. Raises OutOfPlace where another needs it."""
        law = shipped()
        for version in self.versions:
            if version.effective_from != SINCE_EVER and version.pack.digest != digest:
                law = law.with_version(version.pack, version.effective_from)
        return law

    def in_force(self, pack_id: str, day: date) -> RulePack | None:
        """The version of a pack that applies on a local day; None where there is none."""
        found = newest_on((version for version in self.versions if version.pack.id == pack_id), day)
        return found.pack if found else None

    def packs_for(self, jurisdiction: str, day: date) -> tuple[RulePack, ...]:
        """House rules and the law of a place with that of the larger place, outermost first: house, us, us-ma.

        The narrowest law that is in force counts: us-ny is judged by us, fr by eu. A jurisdiction without a pack has
        the house rules alone; so has one whose pack is not yet in force.
        """
        return _packs_for(self, jurisdiction, day)

    def at_place(self, country: str, region: str | None, day: date) -> str:
        """The narrowest jurisdiction of a place whose law is in force on a day; the widest where none is."""
        names = laws_of(country, region)
        return next((name for name in names if self.in_force(name, day)), names[-1])

    def knows(self, jurisdiction: str) -> bool:
        """Whether a name is that of a country, of a part of one, or of a pack, the house left out."""
        return country_named(jurisdiction) is not None or jurisdiction in self.jurisdictions

    def packs_of(self, facts: Facts) -> tuple[RulePack, ...]:
        """The packs by which an act is judged: those of its local day (of its own date where no zone can be told)."""
        return self.packs_on(facts, local_day(facts))

    def packs_on(self, facts: Facts, day: date) -> tuple[RulePack, ...]:
        """The packs by which an act is judged on a local day. Where the law of its place is narrower than its
        jurisdiction by now, the narrower one applies."""
        return self.packs_at(facts.jurisdiction, facts.country, facts.region, day)

    def packs_at(self, jurisdiction: str, country: str | None, region: str | None, day: date) -> tuple[RulePack, ...]:
        """The same for a place, such as a case's. An empty country or region is unknown."""
        return _packs_at(self, jurisdiction, country or None, region or None, day)

    def exactly(self, named: Iterable[Mapping[str, str]]) -> tuple[RulePack, ...]:
        """The very versions that a stored decision names (its `packs`), by digest. Raises UnknownVersion."""
        by_digest = {version.pack.digest: version.pack for version in self.versions}
        found = []
        for each in named:
            if each["digest"] not in by_digest:
                raise UnknownVersion(f"{each['id']} {each['version']} with the digest {each['digest'][:16]}…")
            found.append(by_digest[each["digest"]])
        return tuple(found)

    @property
    def jurisdictions(self) -> tuple[str, ...]:
        """Every place whose law is encoded, the house left out."""
        return tuple(sorted({version.pack.id for version in self.versions} - {HOUSE}))


@lru_cache(maxsize=1_000)
def _packs_for(law: Law, jurisdiction: str, day: date) -> tuple[RulePack, ...]:
    found: list[RulePack] = []
    names = laws_named(jurisdiction)
    wanted = next((name for name in names if law.in_force(name, day)), None)
    while wanted is not None and wanted != HOUSE:
        pack = law.in_force(wanted, day)
        if pack is not None:
            found.append(pack)
        wanted = pack.within if pack and len(found) < len(law.versions) else None
    house = law.in_force(HOUSE, day)
    return (*([house] if house else []), *reversed(found))


@lru_cache(maxsize=1_000)
def _packs_at(law: Law, jurisdiction: str, country: str | None, region: str | None, day: date) -> tuple[RulePack, ...]:
    if country is not None and laws_named(jurisdiction)[0] in laws_of(country, region):
        return law.packs_for(law.at_place(country, region, day), day)
    return law.packs_for(jurisdiction, day)


@cache
def shipped() -> Law:
    """The packs that ship with the project, each in force since ever: the law before anything is uploaded."""
    packs = load_packs().values()
    return Law(tuple(Version(pack) for pack in packs))
