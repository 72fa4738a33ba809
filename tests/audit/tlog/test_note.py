"""Signed notes as Go's sumdb tools write and read them, and every other spelling refused (C2SP signed-note)."""

from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.tlog.note import Checkpoint, NoteInvalid, Signer, Verifier, open_note, sign

# The example of the documentation of golang.org/x/mod/sumdb/note.
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_PRIVATE = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETER_LINE = (
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
)
NOTE = f"{TEXT}\n{PETER_LINE}\n"
ROOT = bytes(range(32))


def peter():
    return Signer("PeterNeumann", Ed25519PrivateKey.from_private_bytes(b64decode(PETER_PRIVATE)[1:]))


def enoch():
    return Signer("EnochRoot", Ed25519PrivateKey.from_private_bytes(bytes(32)))


def test_the_published_note_opens_and_is_written_again():
    verifier = Verifier.parse(PETER)
    assert open_note(NOTE, verifier) == open_note(NOTE.encode(), verifier) == TEXT
    assert verifier.vkey == PETER == peter().verifier.vkey
    assert sign(TEXT, peter()) == NOTE


def test_signatures_of_strangers_are_passed_over():
    note = sign(TEXT, enoch(), peter())
    assert open_note(note, Verifier.parse(PETER)) == open_note(note, enoch().verifier) == TEXT
    with pytest.raises(NoteInvalid, match="no signature by a known key"):
        open_note(sign(TEXT, enoch()), Verifier.parse(PETER))


def forged_line():
    raw = bytearray(b64decode(PETER_LINE.split()[-1]))
    raw[20] ^= 1
    return f"\u2014 PeterNeumann {b64encode(raw).decode()}"


@pytest.mark.parametrize(
    ("note", "reason"),
    [
        (NOTE.replace("answer", "Answer"), "signature by PeterNeumann is wrong"),
        (f"{TEXT}\n{forged_line()}\n", "signature by PeterNeumann is wrong"),
        (f"{TEXT}\n{PETER_LINE}\n{PETER_LINE}\n", "two signatures"),
        (f"{TEXT}\n{PETER_LINE}\n{forged_line()}\n", "two signatures"),
        (f"{TEXT}\n{PETER_LINE}", "do not end with a newline"),
        (f"{TEXT}\n", "do not end with a newline"),
        (TEXT, "no blank line"),
        ("", "no blank line"),
        (f"{TEXT}{PETER_LINE}\n", "no blank line"),
        (NOTE.replace("\u2014 ", "- "), "does not begin with a dash"),
        (NOTE.replace("\u2014 PeterNeumann ", "\u2014 Peter+Neumann "), "key name"),
        (f"{TEXT}\n\u2014 PeterNeumann AAAAAA==\n", "too short"),
        (f"{TEXT}\n\u2014 PeterNeumann !\n", "base64"),
        (NOTE.replace("cryptography", "crypto\tgraphy"), "control character"),
        (NOTE.replace("\n", "\r\n"), "control character"),
        (b"\xff" + NOTE.encode(), "not UTF-8"),
        (TEXT + "x" * 1_000_000 + f"\n\n{PETER_LINE}\n", "more than 1000000 bytes"),
        (f"{TEXT}\n" + 101 * f"{PETER_LINE}\n", "more than 100 signatures"),
    ],
)
def test_a_note_that_must_not_be_trusted(note, reason):
    with pytest.raises(NoteInvalid, match=reason):
        open_note(note, Verifier.parse(PETER))


def test_one_signature_has_one_spelling():
    """The last base64 digit carries two bits that Python's decoder would pass over."""
    stray = PETER_LINE.removesuffix("M=") + "N="
    assert b64decode(stray.split()[-1]) == b64decode(PETER_LINE.split()[-1])
    with pytest.raises(NoteInvalid, match="canonical base64"):
        open_note(f"{TEXT}\n{stray}\n", Verifier.parse(PETER))


@pytest.mark.parametrize(
    "vkey",
    [
        PETER.replace("c74f20a3", "c74f20a4"),
        PETER.replace("PeterNeumann", "PeterNeuman"),
        PETER.replace("+ARpc", "+AhpC"),
        PETER[:-4],
        "PeterNeumann+c74f20a3",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "",
    ],
)
def test_a_verifier_key_that_is_none(vkey):
    with pytest.raises(NoteInvalid):
        Verifier.parse(vkey)


@pytest.mark.parametrize("text", ["no newline", "", "control\x01\n", "lone \ud800\n"])
def test_what_is_no_text_is_not_signed(text):
    with pytest.raises(NoteInvalid):
        sign(text, peter())


def test_a_note_needs_each_signer_once():
    with pytest.raises(NoteInvalid, match="each once"):
        sign(TEXT)
    with pytest.raises(NoteInvalid, match="each once"):
        sign(TEXT, peter(), peter())


def test_a_checkpoint_is_three_lines():
    checkpoint = Checkpoint("doorstep.example/lender-1", 20_852_163, ROOT)
    assert checkpoint.text() == f"doorstep.example/lender-1\n20852163\n{b64encode(ROOT).decode()}\n"
    assert Checkpoint.parse(checkpoint.text()) == checkpoint
    extended = Checkpoint.parse(checkpoint.text() + "more\n")
    assert extended.extensions == ("more",)


ENCODED = b64encode(ROOT).decode()


@pytest.mark.parametrize(
    "text",
    [
        f"o\n7\n{ENCODED}",
        f"o\n07\n{ENCODED}\n",
        f"o\n-7\n{ENCODED}\n",
        f"o\n+7\n{ENCODED}\n",
        f"o\n7 \n{ENCODED}\n",
        f"o\n\u0667\n{ENCODED}\n",
        f"o\n9223372036854775808\n{ENCODED}\n",
        f"\n7\n{ENCODED}\n",
        f"o\n7\n{ENCODED[:-1]}\n",
        f"o\n7\n{b64encode(ROOT[1:]).decode()}\n",
        f"o\n7\n{ENCODED}\n\n",
        "o\n7\n",
    ],
)
def test_a_checkpoint_has_one_spelling(text):
    with pytest.raises(NoteInvalid):
        Checkpoint.parse(text)
