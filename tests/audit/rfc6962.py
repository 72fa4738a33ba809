"""The tree of RFC 6962, section 2.1, word for word and without any thought of speed: the reference that the trail's own
tree is held to. Nothing here knows the trail's code."""

from hashlib import sha256


def split(count):
    """k: the largest power of two smaller than n."""
    k = 1
    while k * 2 < count:
        k *= 2
    return k


def tree_hash(entries):
    """MTH(D[n])."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0]).digest()
    k = split(len(entries))
    return sha256(b"\x01" + tree_hash(entries[:k]) + tree_hash(entries[k:])).digest()


def audit_path(index, entries):
    """PATH(m, D[n]), section 2.1.1."""
    if len(entries) == 1:
        return []
    k = split(len(entries))
    if index < k:
        return [*audit_path(index, entries[:k]), tree_hash(entries[k:])]
    return [*audit_path(index - k, entries[k:]), tree_hash(entries[:k])]


def growth_proof(old, entries):
    """PROOF(m, D[n]), section 2.1.2."""
    return _subproof(old, entries, True)


def _subproof(old, entries, whole):
    if old == len(entries):
        return [] if whole else [tree_hash(entries)]
    k = split(len(entries))
    if old <= k:
        return [*_subproof(old, entries[:k], whole), tree_hash(entries[k:])]
    return [*_subproof(old - k, entries[k:], False), tree_hash(entries[:k])]
