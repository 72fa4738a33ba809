"""The file of the master keys, and the digest secret that an installation keeps for ever."""

import base64
import errno
import stat

import pytest
from cryptography.exceptions import InvalidTag

from shared import keyring, keys
from shared.errors import CannotRun, Unavailable
from shared.keyring import Keyring, MasterKey
from shared.sealing import KEY_BYTES
from shared.settings import Settings, SettingsRefused

OLD, NEW = b"o" * KEY_BYTES, b"n" * KEY_BYTES


def line(key: bytes) -> str:
    return base64.b64encode(key).decode()


def ring_of(path, *lines: str) -> Keyring:
    path.write_text("\n".join(lines))
    return Keyring(path, str(path))


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([line(OLD)], {1: OLD}),
        ([line(OLD), ""], {1: OLD}),
        ([line(OLD)[:20], line(OLD)[20:]], {1: OLD}),  # one key, broken into lines
        ([line(NEW), line(OLD)], {1: NEW, 2: OLD}),
        (["# newest", line(NEW), "", "  # before", f" {line(OLD)} "], {2: NEW, 5: OLD}),
        ([line(NEW), line(NEW)], {1: NEW}),
    ],
)
def test_a_file_holds_keys_newest_first(tmp_path, lines, found):
    ring = ring_of(tmp_path / "m", *lines)
    assert {ring.line_of(each): each.key for each in ring.keys} == found
    assert [each.key for each in ring.keys] == list(found.values())


@pytest.mark.parametrize("lines", [[], ["# none"], ["secret"], [line(OLD), "secret"], [line(OLD[:31])], ["王"]])
def test_a_file_that_holds_something_else_is_refused_without_its_content(tmp_path, lines):
    with pytest.raises(SettingsRefused, match="in base64") as refused:
        ring_of(tmp_path / "m", *lines)
    assert "secret" not in str(refused.value)


def test_a_change_of_the_file_is_noticed_and_a_broken_one_passed_over(tmp_path):
    path = tmp_path / "m"
    ring = ring_of(path, line(OLD))
    with pytest.raises(Unavailable, match="lacks the master key"):
        ring.find(MasterKey(NEW).id)
    path.write_text(f"{line(NEW)}\n{line(OLD)}\n")
    assert ring.newest.key == ring.find(MasterKey(NEW).id).key == NEW
    for broken in ("half a l", ""):
        path.write_text(broken)
        assert ring.newest.key == NEW
    path.unlink()
    assert ring.newest.key == NEW
    path.write_text(f"{line(OLD)}\n")
    assert ring.newest.key == OLD


def test_a_key_unwraps_for_its_own_subject_and_class_only(tmp_path):
    key = MasterKey(OLD)
    wrapped = key.wrap(b"k" * KEY_BYTES, "debtor/1", "identity")
    assert key.unwrap(wrapped, "debtor/1", "identity") == b"k" * KEY_BYTES
    for other in (("debtor/2", "identity"), ("debtor/1", "visit")):
        with pytest.raises(InvalidTag):
            key.unwrap(wrapped, *other)
    with pytest.raises(InvalidTag):
        MasterKey(NEW).unwrap(wrapped, "debtor/1", "identity")
    assert MasterKey(OLD).id != MasterKey(NEW).id
    assert MasterKey(OLD).id not in line(OLD)


def test_a_key_is_added_on_top_and_the_rotation_noted_until_it_ends(tmp_path):
    path = tmp_path / "m"
    ring = ring_of(path, line(OLD))
    path.chmod(0o640)
    assert not keyring.is_under_way(ring)
    with keyring.changing(ring):
        assert keyring.add(ring, NEW, under_way=True).key == NEW
    assert [each.key for each in ring.keys] == [NEW, OLD]
    assert keyring.is_under_way(ring)
    with keyring.changing(ring):
        keyring.end(ring)
    assert not keyring.is_under_way(ring)
    assert [each.key for each in Keyring(path, str(path)).keys] == [NEW, OLD]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["m"]


def test_a_file_that_cannot_be_written_says_what_to_do(tmp_path, monkeypatch):
    ring = ring_of(tmp_path / "m", line(OLD))

    def read_only(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(keyring, "replace_file", read_only)
    with pytest.raises(CannotRun, match="Read-only file system"):
        keyring.add(ring, NEW)
    assert [each.key for each in ring.keys] == [OLD]


def secret_of(path) -> bytes:
    return base64.b64decode(path.read_bytes())


def test_a_new_installation_makes_a_secret_of_its_own(tmp_path):
    settings = Settings(data_dir=tmp_path)
    ring, secret = keys.keyring(settings), keys.digest_secret(settings)
    assert secret == secret_of(tmp_path / "keys/digest.key") != ring.newest.key
    assert keys.digest_secret(settings) == secret
    assert stat.S_IMODE((tmp_path / "keys/digest.key").stat().st_mode) == 0o600


def test_an_existing_installation_keeps_its_oldest_master_key_as_secret(tmp_path):
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/master.key").write_text(f"{line(NEW)}\n{line(OLD)}\n")
    settings = Settings(data_dir=tmp_path)
    assert keys.digest_secret(settings) == OLD
    (tmp_path / "keys/master.key").write_text(line(NEW))  # the old key has gone
    assert keys.digest_secret(settings) == OLD


def test_a_secret_that_is_named_and_not_there_is_made_from_the_master_key(tmp_path):
    (tmp_path / "master.key").write_text(line(OLD))
    settings = Settings(
        data_dir=tmp_path, master_key_file=tmp_path / "master.key", digest_secret_file=tmp_path / "digest.key"
    )
    assert keys.digest_secret(settings) == OLD == secret_of(tmp_path / "digest.key")
    assert keys.keyring(settings).newest.key == OLD


def test_a_secret_is_never_random_beside_a_master_key_that_is_missing(tmp_path):
    settings = Settings(data_dir=tmp_path, master_key_file=tmp_path / "none")
    with pytest.raises(CannotRun, match="DOORSTEP_MASTER_KEY_FILE"):
        keys.digest_secret(settings)
    assert not (tmp_path / "keys").exists()


def test_a_secret_that_cannot_be_made_says_what_to_put_there(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "master.key").write_text(line(OLD))
    settings = Settings(
        data_dir=tmp_path, master_key_file=tmp_path / "master.key", digest_secret_file=tmp_path / "file/digest.key"
    )
    with pytest.raises(CannotRun, match="a copy of its master key"):
        keys.digest_secret(settings)
