"""Checkpoints and their witnesses: real witnesses over HTTP, who refuse what did not only grow."""

import asyncio
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from time import perf_counter

import pytest

from services.audit.attestations.checkpoints import sign_head, signer_of, unpublished_heads, verifier_of
from services.audit.attestations.witness import REASONS, Witnessing
from services.audit.attestations.witness_policy import PolicyInvalid, read_policy
from services.audit.settings import AuditSettings
from services.audit.tlog.note import Checkpoint, CosignatureVerifier, NoteInvalid, open_note, signature_by
from services.audit.trail import sequencer
from services.audit.worker import SERVICE
from shared.clock import system_now
from shared.settings import SettingsRefused
from tests import databases
from tests.audit.publishing import LOG, ORIGIN, trail_on
from tests.audit.small_witness import SmallWitness

PATIENCE_SECONDS = 20.0


@pytest.fixture
def database(request, database_kind):
    """Settings that name the database to try."""
    return databases.database(request, SERVICE)


@pytest.fixture
def witnesses(tmp_path):
    """Three witnesses that know our log."""
    vkey = verifier_of(AuditSettings(data_dir=tmp_path)).vkey
    with ExitStack() as stack:
        yield [stack.enter_context(SmallWitness(f"w{n}.example", trusted={ORIGIN: vkey})) for n in (1, 2, 3)]


def policy_file(tmp_path, witnesses, needed):
    path = tmp_path / "policy"
    lines = [f"witness W{n} {witness.vkey} {witness.url}" for n, witness in enumerate(witnesses, 1)]
    members = " ".join(f"W{n}" for n in range(1, len(witnesses) + 1))
    path.write_text("\n".join(["# who watches us", *lines, f"group G {needed} {members}", "quorum G", ""]))
    return path


def settings_for(tmp_path, witnesses, needed=2, **more):
    path = policy_file(tmp_path, witnesses, needed)
    return {"witness_policy_file": path, "witness_timeout_seconds": PATIENCE_SECONDS, **more}


async def test_a_checkpoint_carries_the_cosignatures_of_its_witnesses(tmp_path, witnesses, database):
    settings = settings_for(tmp_path, witnesses, needed=3)
    async with trail_on(tmp_path, **settings, **database) as trail:
        for count in (1, 6, 300):
            await trail.grow(count)
            assert await trail.publish() == 1
        (size, note), *_ = reversed(await trail.checkpoints())
    assert size == 307
    policy = read_policy(settings["witness_policy_file"])
    assert policy.cosigned_by(note).keys() == {"W1", "W2", "W3"}
    for witness in witnesses:
        signed = open_note(note, CosignatureVerifier.parse(witness.vkey))  # as any verifier of notes would
        assert Checkpoint.parse(signed).root == witness.seen[ORIGIN][1]
        assert witness.asked == [0, 1, 7]


async def test_nothing_is_published_until_the_quorum_has_cosigned_but_sequencing_goes_on(tmp_path, witnesses):
    for witness in witnesses[:2]:
        witness.answer = (500, "text/plain", "")
    async with trail_on(tmp_path, **settings_for(tmp_path, witnesses, witness_fail="closed")) as trail:
        await trail.grow(3)
        assert await trail.publish() == 0
        await trail.grow(3)  # the log grows all the same
        assert await trail.publish() == 0
        assert await trail.checkpoints() == []
        witnesses[0].answer = None
        assert await trail.publish() == 1
        [(size, note)] = await trail.checkpoints()
    assert size == 6
    assert read_policy(tmp_path / "policy").cosigned_by(note).keys() == {"W1", "W3"}


async def test_fail_open_publishes_and_shows_the_lack(tmp_path, witnesses):
    for witness in witnesses:
        witness.answer = (500, "text/plain", "")
    async with trail_on(tmp_path, **settings_for(tmp_path, witnesses, witness_fail="open")) as trail:
        await trail.grow(3)
        assert await trail.publish() == 1
        [(_, note)] = await trail.checkpoints()
        policy = read_policy(tmp_path / "policy")
        assert policy.cosigned_by(note) == {}
        assert not policy.enough(policy.cosigned_by(note))
        open_note(note, verifier_of(trail.runtime.settings))


async def test_after_a_lack_the_next_heartbeat_has_the_witnesses_asked_again(tmp_path, witnesses, monkeypatch):
    """Even where nothing else comes: and what they cosign then covers all that they missed."""
    for witness in witnesses:
        witness.answer = (500, "text/plain", "")
    async with trail_on(tmp_path, **settings_for(tmp_path, witnesses, witness_fail="open")) as trail:
        await trail.grow(3)
        assert await trail.publish() == 1
        for witness in witnesses:
            witness.answer = None
        assert await trail.publish() == 0  # what is published stays as it is
        now = system_now()
        monkeypatch.setattr(sequencer, "system_now", lambda: now + timedelta(hours=1))
        assert await trail.sequencer.beat() == 2  # the operator's log names the other, which then beats
        assert await trail.publish() == 2
        size, note = (await trail.checkpoints())[-1]
    policy = read_policy(tmp_path / "policy")
    assert (size, policy.enough(policy.cosigned_by(note))) == (4, True)


async def test_a_restarted_log_asks_again_from_where_the_witness_is(tmp_path, witnesses):
    settings = settings_for(tmp_path, witnesses)
    async with trail_on(tmp_path, **settings) as trail:
        await trail.grow(5)
        assert await trail.publish() == 1
        offset = trail.offset
    async with trail_on(tmp_path, **settings) as trail:
        trail.offset = offset
        await trail.grow(4)
        assert await trail.publish() == 1
    assert witnesses[0].asked == [0, 0, 5]  # the second 0 was answered by 409 and the size


async def test_a_slow_witness_does_not_set_the_pace_and_never_stops_the_sequencer(tmp_path, witnesses):
    witnesses[2].slow_seconds = 6
    async with trail_on(tmp_path, **settings_for(tmp_path, witnesses)) as trail:
        await trail.grow(1)
        started = perf_counter()
        publishing = asyncio.create_task(trail.publish())
        await trail.grow(10)
        assert perf_counter() - started < witnesses[2].slow_seconds
        assert await publishing == 1
        assert perf_counter() - started < witnesses[2].slow_seconds


async def refusal_of(tmp_path, witness, note, patience_seconds=PATIENCE_SECONDS):
    async def prove(_old):
        return []

    path = policy_file(tmp_path, [witness], "all")
    witnessing = Witnessing(read_policy(path), patience_seconds)
    try:
        found = await witnessing.cosign(note, ORIGIN, 3, prove)
    finally:
        await witnessing.close()
    assert not found.enough
    assert found.note == note
    return found.refused["W1"]


async def a_checkpoint(tmp_path, count=3):
    async with trail_on(tmp_path) as trail:
        await trail.grow(count)
        await trail.publish()
        return (await trail.checkpoints())[-1][1]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((404, "text/plain", ""), "unknown-log"),
        ((403, "text/plain", ""), "unknown-key"),
        ((400, "text/plain", ""), "malformed"),
        ((422, "text/plain", ""), "inconsistent"),
        ((409, "text/plain", "3\n"), "error"),
        ((409, "text/x.tlog.size", "-1\n"), "error"),
        ((409, "text/x.tlog.size", "0\n"), "error"),
        ((409, "text/x.tlog.size", "9223372036854775807\n"), "ahead"),
        ((302, "text/plain", ""), "error"),
        ((200, "text/plain", ""), "bad-signature"),
        ((200, "text/plain", "no line\n"), "bad-signature"),
        ((200, "text/plain", "— w1.example AAAA\n"), "bad-signature"),
        ((200, "text/plain", "x" * 100_000), "error"),
    ],
)
async def test_each_refusal_is_named(tmp_path, witnesses, answer, reason):
    note = await a_checkpoint(tmp_path)
    witnesses[0].answer = answer
    assert (await refusal_of(tmp_path, witnesses[0], note)).reason == reason


async def test_a_witness_that_is_silent_or_away_is_unreachable(tmp_path, witnesses):
    note = await a_checkpoint(tmp_path)
    witnesses[0].slow_seconds = 1
    assert (await refusal_of(tmp_path, witnesses[0], note, patience_seconds=0.3)).reason == "unreachable"
    witnesses[1].__exit__()
    assert (await refusal_of(tmp_path, witnesses[1], note)).reason == "unreachable"


async def test_a_signature_that_does_not_hold_is_no_cosignature(tmp_path, witnesses):
    note = await a_checkpoint(tmp_path)
    witnesses[0].forge = True
    assert (await refusal_of(tmp_path, witnesses[0], note)).reason == "bad-signature"


async def test_a_witness_sees_a_rollback_and_a_fork(tmp_path, witnesses):
    """The real refusals of a real witness, after the folder was replaced behind the log's back."""
    settings = settings_for(tmp_path, witnesses, needed="all")
    async with trail_on(tmp_path, **settings) as trail:
        await trail.grow(9)
        assert await trail.publish() == 1
    for file in tmp_path.glob("audit.sqlite3*"):
        file.unlink()  # the keys stay: the same log, made again
    async with trail_on(tmp_path, **settings) as trail:
        for count, reason in ((8, "ahead"), (1, "forked"), (1, "inconsistent")):
            await trail.grow(count)
            assert await trail.publish() == 0
            found = await trail.publisher._witnessing.cosign(*await ask(trail))
            assert {refused.reason for refused in found.refused.values()} == {reason}
        assert await trail.checkpoints() == []


async def ask(trail):
    """What the publisher asks of the witnesses now."""
    async with trail.runtime.database.reading() as tx:
        [head] = [head for head in await unpublished_heads(tx) if head.log_id == LOG]
    settings = trail.runtime.settings
    return sign_head(head, signer_of(settings), settings), ORIGIN, head.size, trail.publisher.prover(head)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["witness W1 {vkey}", "quorum W1"], "line 1: write `witness NAME VKEY URL`"),
        (["witness W1 {vkey} ftp://x", "quorum W1"], "line 1"),
        (["witness W1 nonsense http://x", "quorum W1"], "line 1: the verifier key is not of the form"),
        (["witness W1 {log} http://x", "quorum W1"], "not an Ed25519 key of the type 04"),
        (["witness W1 {vkey} http://x", "witness W2 {vkey} http://y", "quorum W1"], "line 2: a witness above"),
        (["witness W1 {vkey} http://x", "witness W1 {other} http://y", "quorum W1"], "line 2: the name W1 is taken"),
        (["witness none {vkey} http://x", "quorum none"], "line 1: the name none is taken"),
        (["witness W1 {vkey} http://x"], "there is no quorum line"),
        (["witness W1 {vkey} http://x", "quorum W2"], "line 2"),
        (["quorum none", "quorum none"], "line 2"),
        (["witness W1 {vkey} http://x", "group G 2 W1", "quorum G"], "line 2: write any, all or a number from 1 to 1"),
        (["witness W1 {vkey} http://x", "group G 0 W1", "quorum G"], "line 2"),
        (["witness W1 {vkey} http://x", "group G any W1 W1", "quorum G"], "line 2: each member"),
        (["group G any W9", "quorum G"], "line 1: each member"),
        (["wittness W1 {vkey} http://x", "quorum none"], "line 1: not a witness"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused_by_line(tmp_path, witnesses, lines, words):
    log = verifier_of(AuditSettings(data_dir=tmp_path)).vkey
    path = tmp_path / "policy"
    text = "\n".join(lines).format(vkey=witnesses[0].vkey, other=witnesses[1].vkey, log=log)
    path.write_text(text)
    with pytest.raises(PolicyInvalid) as refused:
        read_policy(path)
    assert words in str(refused.value)


def test_groups_of_groups_count_as_the_file_says(tmp_path, witnesses):
    path = tmp_path / "policy"
    lines = [f"witness W{n} {each.vkey} {each.url}" for n, each in enumerate(witnesses, 1)]
    path.write_text("\n".join([*lines, "group Ours any W1 W2", "group Both all Ours W3", "quorum Both"]))
    policy = read_policy(path)
    assert policy.enough(["W1", "W3"])
    assert policy.enough(["W2", "W3"])
    assert not policy.enough(["W1", "W2"])
    assert not policy.enough(["W3"])


async def test_a_wrong_policy_file_stops_the_start(tmp_path):
    with pytest.raises(SettingsRefused, match="DOORSTEP_WITNESS_POLICY_FILE"):
        async with trail_on(tmp_path, witness_policy_file=tmp_path / "missing"):
            pass


def test_a_cosignature_out_of_all_time_is_none(witnesses):
    witness = witnesses[0]
    text = f"{ORIGIN}\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    verifier = CosignatureVerifier.parse(witness.vkey)
    at = 1 << 62
    signature = at.to_bytes(8, "big") + witness.key.sign(f"cosignature/v1\ntime {at}\n{text}".encode())
    assert signature_by(f"{text}\n{verifier.line(signature)}\n", verifier) is None
    with pytest.raises(NoteInvalid):
        signature_by("no note", verifier)


def test_the_guide_names_every_refusal():
    guide = (Path(__file__).parents[3] / "docs" / "guides" / "witnesses.md").read_text()
    assert all(f"`{reason}`" in guide for reason in REASONS)
