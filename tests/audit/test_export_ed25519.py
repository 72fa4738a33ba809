"""The Ed25519 of verify.py: the vectors of RFC 8032, and what must not pass; held to the library that signs."""

import ast
import re
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from services.audit.export.outside import verify
from services.audit.export.outside.verify import _L, _P, ed25519_verify

# RFC 8032, section 7.1: public key, message, signature.
VECTORS = {
    "TEST 1": (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe"
        "24655141438e7a100b",
    ),
    "TEST 2": (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302a"
        "eeb00d291612bb0c00",
    ),
    "TEST 3": (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed2"
        "8dc027beceea1ec40a",
    ),
    "TEST SHA(abc)": (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce8"
        "0e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac1"
        "7ad9bef1177331a704",
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_the_vectors_of_the_rfc_hold(name):
    key, message, signature = (bytes.fromhex(each) for each in VECTORS[name])
    assert ed25519_verify(key, message, signature)
    assert not ed25519_verify(key, message + b"\0", signature)
    for place in (0, 31, 32, 63):
        flipped = bytearray(signature)
        flipped[place] ^= 1
        assert not ed25519_verify(key, message, bytes(flipped))


@given(message=st.binary(max_size=200), seed=st.binary(min_size=32, max_size=32))
def test_it_agrees_with_the_library_that_signs(message, seed):
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = key.public_key().public_bytes_raw(), key.sign(message)
    assert ed25519_verify(public, message, signature)
    assert not ed25519_verify(public, message + b"x", signature)
    assert not ed25519_verify(public, message, signature[::-1])


def test_it_runs_on_python_3_8_with_the_standard_library_only():
    source = Path(verify.__file__).read_text()
    tree = ast.parse(source, feature_version=(3, 8))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= set(sys.stdlib_module_names)
    # What 3.9 and later brought, and a habit of ours elsewhere.
    assert not re.search(r"\.removeprefix|\.removesuffix|\bmatch \w+:|zip\(.*strict|bit_count|file_digest", source)


def test_a_second_spelling_of_a_signature_is_none():
    """RFC 8032, 5.1.7: S below the order of the group, y below the prime; else one signature would have many forms."""
    key, message, signature = (bytes.fromhex(each) for each in VECTORS["TEST 2"])
    s = int.from_bytes(signature[32:], "little")
    assert not ed25519_verify(key, message, signature[:32] + (s + _L).to_bytes(32, "little"))
    for not_a_point in (_P.to_bytes(32, "little"), b"\xff" * 32, b"\x02" + bytes(31), bytes(31), b""):
        assert not ed25519_verify(not_a_point, message, signature)
    assert not ed25519_verify(key, message, signature[:63])
    assert not ed25519_verify(key, message, signature + b"\0")
