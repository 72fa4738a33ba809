"""The trail's tree against the naive one of the RFC, at random and at the borders of tiles."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.tlog import tiles
from services.audit.tlog.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    consistency_ranges,
    inclusion_proof,
    inclusion_ranges,
    leaf_hash,
    node_hash,
    root_at,
    root_of,
    subtrees,
    verify_consistency,
    verify_inclusion,
)
from services.audit.trail.tile_cache import nodes_of
from tests.audit.bundles import decode_entries
from tests.audit.rfc6962 import audit_path, growth_proof, tree_hash
from tests.searches import search

BORDERS = (255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537)
ENTRIES = [number.to_bytes(4, "big") for number in range(600)]
HASHES = [leaf_hash(entry) for entry in ENTRIES]
SIZES = st.integers(1, len(ENTRIES))
quick = search(25, 600)


def from_leaves(hashes):
    """`get` of a tree that holds nothing but its leaf hashes."""

    def get(level, index):
        return root_of(hashes[index << level : (index + 1) << level])

    return get


@quick
@given(SIZES)
def test_roots_are_those_of_the_definition(size):
    frontier = Frontier()
    for digest in HASHES[:size]:
        frontier.append(digest)
    expected = tree_hash(ENTRIES[:size])
    assert root_of(HASHES[:size]) == frontier.root() == root_at(size, from_leaves(HASHES)) == expected
    assert len(frontier.hashes) == size.bit_count()
    assert Frontier.from_hashes(size, frontier.hashes).root() == expected


@quick
@given(st.data())
def test_inclusion_proofs_are_those_of_the_definition(data):
    size = data.draw(SIZES)
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, from_leaves(HASHES))
    assert proof == audit_path(index, ENTRIES[:size])
    assert verify_inclusion(index, size, HASHES[index], proof, tree_hash(ENTRIES[:size]))


@quick
@given(st.data())
def test_consistency_proofs_are_those_of_the_definition(data):
    new = data.draw(SIZES)
    old = data.draw(st.integers(1, new))
    proof = consistency_proof(old, new, from_leaves(HASHES))
    assert proof == growth_proof(old, ENTRIES[:new])
    assert verify_consistency(old, new, tree_hash(ENTRIES[:old]), tree_hash(ENTRIES[:new]), proof)


@quick
@given(st.data())
def test_no_proof_speaks_for_anything_else(data):
    """Whatever single thing is changed about a true proof, it proves nothing any more."""
    size = data.draw(st.integers(2, len(ENTRIES)))
    index = data.draw(st.integers(0, size - 1))
    proof, root = audit_path(index, ENTRIES[:size]), tree_hash(ENTRIES[:size])
    other = data.draw(st.integers(0, size - 1).filter(lambda number: number != index))
    assert not verify_inclusion(other, size, HASHES[index], proof, root)
    assert not verify_inclusion(index, size, HASHES[other], proof, root)
    at = data.draw(st.integers(0, len(proof) - 1))
    bit = data.draw(st.integers(0, 255))
    turned = (int.from_bytes(proof[at], "big") ^ (1 << bit)).to_bytes(32, "big")
    assert not verify_inclusion(index, size, HASHES[index], [*proof[:at], turned, *proof[at + 1 :]], root)


def stored_tiles(hashes):
    """All tiles of a tree, full and partial, as the trail keeps and serves them."""
    stored, level = {}, 0
    while hashes:
        rows = [hashes[start : start + tiles.TILE_WIDTH] for start in range(0, len(hashes), tiles.TILE_WIDTH)]
        stored.update({(level, n): tiles.pack(row) for n, row in enumerate(rows)})
        hashes = [root_of(row) for row in rows if len(row) == tiles.TILE_WIDTH]
        level += 1
    return stored


@pytest.fixture(scope="module")
def many():
    return [leaf_hash(number.to_bytes(4, "big")) for number in range(BORDERS[-1])]


@pytest.mark.parametrize("size", BORDERS)
def test_proofs_from_tiles_hold_at_the_borders(many, size):
    hashes = many[:size]
    stored = stored_tiles(hashes)
    get = tiles.get_from_tiles(lambda level, n: stored[level, n])
    root = root_of(hashes)
    assert root_at(size, get) == root
    for index in sorted({0, 1, 254, 255, 256, size // 2, size - 2, size - 1} & set(range(size))):
        assert set(tiles.tiles_needed(inclusion_ranges(index, size))) <= stored.keys()
        assert verify_inclusion(index, size, hashes[index], inclusion_proof(index, size, get), root)
    for old in sorted({1, 255, 256, 257, size // 2, size - 1, size} & set(range(1, size + 1))):
        assert set(tiles.tiles_needed(consistency_ranges(old, size))) <= stored.keys()
        proof = consistency_proof(old, size, get)
        assert verify_consistency(old, size, root_of(hashes[:old]), root, proof)


@pytest.mark.parametrize("size", BORDERS)
def test_widths_of_tiles_at_the_borders(many, size):
    stored = stored_tiles(many[:size])
    assert {key: len(tile) // 32 for key, tile in stored.items()} == {
        (level, n): tiles.tile_width(level, n, size) for level, n in stored
    }
    full = [key for key, tile in stored.items() if len(tile) == tiles.TILE_BYTES]
    assert sorted(full) == sorted(tiles.full_tiles_completed(0, size))
    for level, n in full:
        if level:
            below = [stored[level - 1, k] for k in range(n * tiles.TILE_WIDTH, (n + 1) * tiles.TILE_WIDTH)]
            assert tiles.tile_above(below) == stored[level, n]


@given(st.integers(0, 63), st.integers(0, (1 << 63) - 1), st.integers(1, 256))
def test_paths_are_read_as_they_are_written(level, n, width):
    assert tiles.parse_tile_path(tiles.tile_path(level, n, width)) == (level, n, width)
    assert tiles.parse_tile_path(tiles.entries_path(n, width)) == (None, n, width)


@pytest.mark.parametrize(
    "path",
    ["tile/0/1", "tile/00/001", "tile/64/001", "tile/0/x000/001", "tile/0/001.p/256", "tile/0/001.p/0",
     "tile/0/001.p/01", "tile/0/001/", "tile/0/X001/002", "tile/-1/001", "tile/entries/1", "../tile/0/001", ""],
)  # fmt: skip
def test_any_other_spelling_of_a_path_is_refused(path):
    with pytest.raises(ValueError, match=r"tile|path|zeroes"):
        tiles.parse_tile_path(path)


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_bundles_are_read_as_they_are_written(entries):
    bundle = tiles.encode_entries(entries)
    assert decode_entries(bundle) == entries
    if bundle:
        with pytest.raises(ValueError, match="cut"):
            decode_entries(bundle[:-1])


def test_what_is_hashed_is_told_apart():
    """Leaf and node hashes have different first bytes, so that neither can pass for the other (RFC 6962, 2.1)."""
    left, right = HASHES[:2]
    assert node_hash(left, right) != leaf_hash(left + right)
    assert sha256(b"").digest() == EMPTY_ROOT


@pytest.mark.parametrize("wrong", [(-1, 5), (5, 5), (6, 5), (0, 0)])
def test_what_is_not_in_the_tree_has_no_proof(wrong):
    with pytest.raises(ValueError, match="leaf"):
        inclusion_proof(*wrong, from_leaves(HASHES))


def test_a_subtree_begins_where_it_may():
    assert subtrees(4, 7) == [(1, 2), (0, 6)]
    with pytest.raises(ValueError, match="does not begin"):
        subtrees(3, 7)


@pytest.mark.parametrize("width", [1, 2, 3, 128, 200, 255, 256])
def test_the_nodes_of_a_tile_are_the_roots_of_what_is_below(width):
    rows = nodes_of(tiles.pack(HASHES[:width]))
    for height, row in enumerate(rows):
        assert row == [root_of(HASHES[at << height : (at + 1) << height]) for at in range(width >> height)]
    assert len(rows) == min(8, width.bit_length())
