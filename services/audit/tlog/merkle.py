"""The Merkle tree of RFC 6962: hashes, the right edge of a growing tree, and proofs that others can check.
Its one rule: nothing here reads or writes; stored hashes come in through `get(level, index)`, the hash of the
complete subtree of 2^level leaves that begins at leaf index * 2^level.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()

Get = Callable[[int, int], bytes]
Range = tuple[int, int]


def leaf_hash(leaf: bytes) -> bytes:
    """The 32-byte hash of an entry's bytes: SHA-256(0x00 ‖ leaf), RFC 6962, section 2.1."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The 32-byte hash of two subtrees side by side: SHA-256(0x01 ‖ left ‖ right), RFC 6962, section 2.1."""
    return sha256(b"\x01" + left + right).digest()


def root_of(leaf_hashes: Iterable[bytes]) -> bytes:
    """The root over leaf hashes, in order; EMPTY_ROOT of none.

    Level by level, a last one without partner is lifted: the same tree as RFC 6962's split at powers of two.
    """
    row = list(leaf_hashes)
    if not row:
        return EMPTY_ROOT
    while len(row) > 1:
        above = [node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
        if len(row) % 2:
            above.append(row[-1])
        row = above
    return row[0]


class Frontier:
    """The right edge of a tree: the roots of its complete subtrees, the largest (leftmost) first.

    Enough to append in O(log n) and to know the root; one hash for each bit that is set in `size`.
    """

    __slots__ = ("_hashes", "size")

    def __init__(self) -> None:
        self.size = 0
        self._hashes: list[bytes] = []

    @classmethod
    def from_hashes(cls, size: int, hashes: Sequence[bytes]) -> "Frontier":
        """The frontier of a stored tree; `hashes` in the order of `subtrees(0, size)`.

        Raises ValueError if their number does not fit the size, or one is not 32 bytes long.
        """
        if size < 0:
            raise ValueError(f"a tree cannot hold {size} leaves")
        if len(hashes) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} frontier hashes, not {len(hashes)}")
        if any(len(each) != HASH_BYTES for each in hashes):
            raise ValueError(f"a frontier hash is not {HASH_BYTES} bytes long")
        frontier = cls()
        frontier.size = size
        frontier._hashes = list(hashes)
        return frontier

    @property
    def hashes(self) -> list[bytes]:
        """A copy of the hashes, the largest subtree first."""
        return list(self._hashes)

    def copy(self) -> "Frontier":
        """A frontier of its own at the same size: append to it, and drop it if the transaction fails."""
        return Frontier.from_hashes(self.size, self._hashes)

    def append(self, leaf: bytes) -> None:
        """Add a leaf's hash (not its bytes) at index `size`."""
        hashes = self._hashes
        carry = self.size
        while carry & 1:
            leaf = sha256(b"\x01" + hashes.pop() + leaf).digest()
            carry >>= 1
        hashes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root at `size`; EMPTY_ROOT when empty."""
        return _fold(self._hashes) if self._hashes else EMPTY_ROOT


def subtrees(start: int, stop: int) -> list[tuple[int, int]]:
    """The complete subtrees (level, index) that cover leaves [start, stop), from the left, largest first.

    `start` must be aligned as in RFC 6962's trees: a multiple of every covered subtree. Raises ValueError if not.
    """
    covered = []
    while start < stop:
        level = (stop - start).bit_length() - 1
        if start & ((1 << level) - 1):
            raise ValueError(f"leaf {start} does not begin a subtree of 2^{level} leaves")
        covered.append((level, start >> level))
        start += 1 << level
    return covered


def root_at(size: int, get: Get) -> bytes:
    """The root of the first `size` leaves, from stored subtree hashes; EMPTY_ROOT of none."""
    if size < 0:
        raise ValueError(f"a tree cannot hold {size} leaves")
    return _range_hash(0, size, get) if size else EMPTY_ROOT


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The leaf ranges [start, stop) whose hashes are the inclusion proof, in its order (RFC 6962, 2.1.1).

    With `subtrees` they tell a caller which hashes to load beforehand. Raises ValueError unless 0 <= index < size.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    start, stop = 0, size
    ranges = []
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            ranges.append((middle, stop))
            stop = middle
        else:
            ranges.append((start, middle))
            start = middle
    ranges.reverse()
    return ranges


def consistency_ranges(old: int, new: int) -> list[Range]:
    """The leaf ranges whose hashes are the consistency proof, in its order (RFC 6962, 2.1.2).

    None from size 0 and none between equal sizes. Raises ValueError unless 0 <= old <= new.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves does not grow out of one of {old}")
    if old in (0, new):
        return []
    start, stop = 0, new
    ranges = []
    while old != stop:
        middle = start + _split(stop - start)
        if old <= middle:
            ranges.append((middle, stop))
            stop = middle
        else:
            ranges.append((start, middle))
            start = middle
    if start:  # at 0 the rest is the whole old tree, whose root the verifier has
        ranges.append((start, stop))
    ranges.reverse()
    return ranges


def inclusion_proof(index: int, size: int, get: Get) -> list[bytes]:
    """The hashes that prove leaf `index` in the tree of `size` leaves. Raises ValueError unless 0 <= index < size."""
    return [_range_hash(start, stop, get) for start, stop in inclusion_ranges(index, size)]


def consistency_proof(old: int, new: int, get: Get) -> list[bytes]:
    """The hashes that prove the tree of `new` leaves extends the one of `old`. ValueError unless 0 <= old <= new."""
    return [_range_hash(start, stop, get) for start, stop in consistency_ranges(old, new)]


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows that the leaf with hash `leaf` stands at `index` of the tree (`size`, `root`).

    RFC 9162, section 2.1.3.2. Never raises for wrong numbers or hashes: they prove nothing, so False.
    """
    if not 0 <= index < size or not _hashes_only(leaf, root, *proof):
        return False
    position, last = index, size - 1
    computed = leaf
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            computed = node_hash(sibling, computed)
            while position and not position & 1:
                position >>= 1
                last >>= 1
        else:
            computed = node_hash(computed, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and computed == root


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the tree (`new`, `new_root`) begins with the whole tree (`old`, `old_root`).

    RFC 9162, section 2.1.4.2. Equal sizes need equal roots and no proof; anything extends the empty tree, whose root
    must be EMPTY_ROOT, without proof. Never raises for wrong numbers or hashes: they prove nothing, so False.
    """
    if not 0 <= old <= new or not _hashes_only(old_root, new_root, *proof):
        return False
    if (old == 0 and old_root != EMPTY_ROOT) or (new == 0 and new_root != EMPTY_ROOT):
        return False
    if old in (0, new):
        return not proof and (old == 0 or old_root == new_root)
    return bool(proof) and _verify_growth(old, new, old_root, new_root, proof)


def _verify_growth(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    path = [old_root, *proof] if old & (old - 1) == 0 else proof
    position, last = old - 1, new - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old_computed = new_computed = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old_computed = node_hash(sibling, old_computed)
            new_computed = node_hash(sibling, new_computed)
            while position and not position & 1:
                position >>= 1
                last >>= 1
        else:
            new_computed = node_hash(new_computed, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and old_computed == old_root and new_computed == new_root


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def _range_hash(start: int, stop: int, get: Get) -> bytes:
    width = stop - start
    if not width & (width - 1):  # one complete subtree, as most of a proof's ranges are
        level = width.bit_length() - 1
        return get(level, start >> level)
    return _fold([get(level, index) for level, index in subtrees(start, stop)])


def _fold(hashes: Sequence[bytes]) -> bytes:
    folded = hashes[-1]
    for left in reversed(hashes[:-1]):
        folded = node_hash(left, folded)
    return folded


def _hashes_only(*values: bytes) -> bool:
    return all(isinstance(each, bytes) and len(each) == HASH_BYTES for each in values)
