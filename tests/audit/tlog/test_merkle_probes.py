"""196 probes of the proof checkers, of the family that certificate transparency's implementations publish: true proofs
over its eight well-known entries, and every way to bend one. They are made anew from the RFC's definition."""

from hashlib import sha256
from typing import NamedTuple

import pytest

from services.audit.tlog.merkle import verify_consistency, verify_inclusion
from tests.audit.rfc6962 import audit_path, growth_proof, tree_hash

ENTRIES = [
    bytes.fromhex(each)
    for each in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = {  # as published with the entries
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
EMPTY = sha256(b"").digest()
SOME = sha256(b"something else").digest()


class Inclusion(NamedTuple):
    index: int
    size: int
    leaf: bytes
    proof: list
    root: bytes

    def holds(self):
        return verify_inclusion(self.index, self.size, self.leaf, self.proof, self.root)


class Consistency(NamedTuple):
    old: int
    new: int
    old_root: bytes
    new_root: bytes
    proof: list

    def holds(self):
        return verify_consistency(self.old, self.new, self.old_root, self.new_root, self.proof)


def flipped(proof, at):
    """The proof with bit 3 of one of its hashes turned."""
    return [bytes([item[0] ^ 8]) + item[1:] if number == at else item for number, item in enumerate(proof)]


def bent_inclusions(true):
    proof = true.proof
    yield "index one less", true._replace(index=true.index - 1)
    yield "index one more", true._replace(index=true.index + 1)
    yield "index with bit 1 turned", true._replace(index=true.index ^ 2)
    yield "half the size", true._replace(size=true.size // 2)
    yield "twice the size", true._replace(size=true.size * 2)
    yield "wrong leaf", true._replace(leaf=b"WrongLeaf")
    yield "empty root", true._replace(root=EMPTY)
    yield "random root", true._replace(root=SOME)
    yield "garbage behind", true._replace(proof=[*proof, b""])
    yield "root behind", true._replace(proof=[*proof, true.root])
    yield "garbage in front", true._replace(proof=[b"", *proof])
    yield "root in front", true._replace(proof=[true.root, *proof])
    for at in range(len(proof)):
        yield f"bit turned in hash {at}", true._replace(proof=flipped(proof, at))
    if proof:
        yield "last hash left out", true._replace(proof=proof[:-1])
    if len(proof) > 1:
        yield "garbage in between", true._replace(proof=[*proof[1:], proof[0], SOME])


def bent_consistencies(true):
    proof = true.proof
    yield "old size one less", true._replace(old=true.old - 1)
    yield "old size one more", true._replace(old=true.old + 1)
    yield "old size with bit 1 turned", true._replace(old=true.old ^ 2)
    yield "twice the new size", true._replace(new=true.new * 2)
    yield "half the new size", true._replace(new=true.new // 2)
    yield "wrong old root", true._replace(old_root=b"WrongRoot")
    yield "wrong new root", true._replace(new_root=b"WrongRoot")
    yield "roots swapped", true._replace(old_root=true.new_root, new_root=true.old_root)
    yield "no proof", true._replace(proof=[])
    yield "garbage behind", true._replace(proof=[*proof, b""])
    yield "old root behind", true._replace(proof=[*proof, true.old_root])
    yield "new root behind", true._replace(proof=[*proof, true.new_root])
    yield "garbage in front", true._replace(proof=[b"", *proof])
    yield "old root in front", true._replace(proof=[true.old_root, *proof])
    yield "new root in front", true._replace(proof=[true.new_root, *proof])
    yield "first hash twice", true._replace(proof=[proof[0], *proof])
    yield "last hash left out", true._replace(proof=proof[:-1])
    yield "garbage in between", true._replace(proof=[*proof[1:], proof[0], SOME])
    for at in range(len(proof)):
        yield f"bit turned in hash {at}", true._replace(proof=flipped(proof, at))


def inclusion_probes():
    for index, size in ((0, 1), (0, 8), (5, 8), (2, 3), (1, 5)):
        entries = ENTRIES[:size]
        leaf = sha256(b"\x00" + ENTRIES[index]).digest()
        true = Inclusion(index, size, leaf, audit_path(index, entries), tree_hash(entries))
        yield f"inclusion of {index} in {size}: true", true, True
        for name, probe in bent_inclusions(true):
            yield f"inclusion of {index} in {size}: {name}", probe, False
    for index, size in ((0, 0), (0, 1), (1, 0), (2, 1)):
        yield f"inclusion of {index} in {size}: no leaf, empty root", Inclusion(index, size, b"", [], EMPTY), False
        yield f"inclusion of {index} in {size}: random leaf, no root", Inclusion(index, size, SOME, [], b""), False
        yield f"inclusion of {index} in {size}: random leaf, empty root", Inclusion(index, size, SOME, [], EMPTY), False


def consistency_probes():
    for old, new in ((1, 8), (6, 8), (2, 5), (6, 7)):
        roots = tree_hash(ENTRIES[:old]), tree_hash(ENTRIES[:new])
        true = Consistency(old, new, *roots, growth_proof(old, ENTRIES[:new]))
        yield f"consistency of {old} and {new}: true", true, True
        for name, probe in bent_consistencies(true):
            yield f"consistency of {old} and {new}: {name}", probe, False
    one = tree_hash(ENTRIES[:1])
    for name, probe, holds in (
        ("equal sizes, equal roots", Consistency(1, 1, one, one, []), True),
        ("both empty", Consistency(0, 0, EMPTY, EMPTY, []), True),
        ("out of nothing", Consistency(0, 1, EMPTY, one, []), True),
        ("out of nothing, with a proof", Consistency(0, 1, EMPTY, one, [one]), False),
        ("out of nothing, wrong empty root", Consistency(0, 1, SOME, one, []), False),
        ("shrinking to nothing", Consistency(1, 0, one, EMPTY, []), False),
        ("shrinking", Consistency(2, 1, tree_hash(ENTRIES[:2]), one, [one]), False),
        ("empty, roots differ", Consistency(0, 0, EMPTY, SOME, []), False),
        ("empty, both roots wrong", Consistency(0, 0, SOME, SOME, []), False),
        ("equal sizes, roots differ", Consistency(1, 1, one, SOME, []), False),
        ("equal sizes, with a proof", Consistency(1, 1, one, one, [one]), False),
        ("empty, with a proof", Consistency(0, 0, EMPTY, EMPTY, [EMPTY]), False),
        ("sizes differ, no proof", Consistency(1, 2, one, tree_hash(ENTRIES[:2]), []), False),
        ("eight and eight, with a proof", Consistency(8, 8, tree_hash(ENTRIES), tree_hash(ENTRIES), [one]), False),
        ("a negative size", Consistency(-1, 8, EMPTY, tree_hash(ENTRIES), []), False),
    ):
        yield f"consistency: {name}", probe, holds


PROBES = [*inclusion_probes(), *consistency_probes()]


def test_the_published_roots_follow_from_the_definition():
    assert {size: tree_hash(ENTRIES[:size]).hex() for size in ROOTS} == ROOTS


def test_there_are_196_probes():
    assert len(PROBES) == len({name for name, _, _ in PROBES}) == 196
    assert sum(holds for _, _, holds in PROBES) == 12


@pytest.mark.parametrize(("probe", "holds"), [(probe, holds) for _, probe, holds in PROBES], ids=[p[0] for p in PROBES])
def test_probe(probe, holds):
    assert probe.holds() is holds
