"""Time stamps over kept checkpoints, by a real authority (openssl) over HTTP."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from services.audit.attestations.checkpoints import store_checkpoint, unpublished_heads, verifier_of
from services.audit.attestations.tables import CHECKPOINT, CHECKPOINT_STAMP
from services.audit.attestations.timestamps import SETTLED, Stamper, StampInvalid, authority_of, unstamped
from services.audit.verification.verify import verify
from services.audit.worker import SERVICE
from shared.clock import system_now
from shared.settings import SettingsRefused
from tests import databases
from tests.audit.publishing import LOG, trail_on
from tests.audit.time_authority import TimeAuthority

NEXT_MINUTE = timedelta(minutes=1) + SETTLED


@pytest.fixture
def authority(tmp_path):
    with TimeAuthority(tmp_path / "tsa") as running:
        yield running


@pytest.fixture
def database(request, database_kind):
    """Settings that name the database to try."""
    return databases.database(request, SERVICE)


def stamper_of(trail):
    found = trail.publisher._stamper
    assert isinstance(found, Stamper)
    return found


async def stamps(trail):
    async with trail.runtime.database.reading() as tx:
        return {row.size: row.stamp for row in await tx.session.execute(select(CHECKPOINT_STAMP))}


@pytest.mark.dialect
async def test_a_kept_checkpoint_is_stamped_once_its_minute_is_over(tmp_path, authority, database):
    async with trail_on(tmp_path, **authority.settings, **database) as trail:
        await trail.grow(3)
        await trail.publish()
        now = system_now()
        assert await stamper_of(trail).stamp_due(now - NEXT_MINUTE) == 0  # it may still be superseded
        assert await stamper_of(trail).stamp_due(now + NEXT_MINUTE) == 1
        assert await stamper_of(trail).stamp_due(now + NEXT_MINUTE) == 0
        assert authority.asked == 1
        [(size, note)] = await trail.checkpoints()
        [(stamped, stamp)] = (await stamps(trail)).items()
        assert stamped == size
        at = authority_of(trail.runtime.settings).time_of(stamp, note)
        assert abs(at - now) < timedelta(seconds=30)
        for forged in (note.replace("\n3\n", "\n4\n"), note + "x"):
            with pytest.raises(StampInvalid):
                authority_of(trail.runtime.settings).time_of(stamp, forged)
        for place in range(0, len(stamp), 97):
            changed = stamp[:place] + bytes([stamp[place] ^ 1]) + stamp[place + 1 :]
            with pytest.raises(StampInvalid):
                authority_of(trail.runtime.settings).time_of(changed, note)


@pytest.mark.dialect
async def test_of_each_minute_the_last_checkpoint_is_kept_and_no_other_can_go(tmp_path, database):
    async with trail_on(tmp_path, **database) as trail:
        start = system_now().replace(second=0)
        for second in (0, 1, 59, 60, 61, 130):
            await trail.grow(1)
            async with trail.runtime.database.transaction() as tx:
                [head] = await unpublished_heads(tx)
                await store_checkpoint(tx, head, f"note {head.size}", start + timedelta(seconds=second))
        assert [size for size, _ in await trail.checkpoints()] == [3, 5, 6]
        for size in (3, 5, 6):
            with pytest.raises(DBAPIError, match="append-only"):
                async with trail.runtime.database.transaction() as tx:
                    await tx.session.execute(text(f"DELETE FROM checkpoint WHERE size = {size}"))


async def test_a_stamp_that_does_not_verify_is_not_kept(tmp_path, authority):
    with TimeAuthority(tmp_path / "other") as other:
        settings = authority.settings | {"tsa_url": other.url}  # signed under another root
        async with trail_on(tmp_path, **settings) as trail:
            await trail.grow(1)
            await trail.publish()
            for answer in (None, (200, b""), (200, b"x" * 100_000), (503, b"")):
                other.answer = answer
                with pytest.raises(StampInvalid):
                    await stamper_of(trail).stamp_due(system_now() + NEXT_MINUTE)
            assert await stamps(trail) == {}
            async with trail.runtime.database.reading() as tx:
                assert len(await unstamped(tx, system_now() + NEXT_MINUTE)) == 1


async def test_a_replayed_stamp_has_the_wrong_nonce(tmp_path, authority):
    async with trail_on(tmp_path, **authority.settings) as trail:
        await trail.grow(1)
        await trail.publish()
        [(_, note)] = await trail.checkpoints()
        asked = authority_of(trail.runtime.settings)
        authority.answer = (200, await asked.stamp(note))
        with pytest.raises(StampInvalid, match="Nonce"):
            await asked.stamp(note)
        await asked.close()


async def test_an_authority_that_is_away_stops_nothing(tmp_path, authority):
    authority.__exit__()
    async with trail_on(tmp_path, **authority.settings) as trail:
        await trail.grow(2)
        assert await trail.publish() == 1
        with pytest.raises(StampInvalid, match="does not answer"):
            await stamper_of(trail).stamp_due(system_now() + NEXT_MINUTE)


@pytest.mark.parametrize("ca", [None, "missing.pem", "empty.pem"])
async def test_settings_that_do_not_fit_are_refused(tmp_path, ca):
    (tmp_path / "empty.pem").write_text("")
    given = {"tsa_ca_file": tmp_path / ca} if ca else {}
    with pytest.raises(SettingsRefused, match="DOORSTEP_TSA"):
        async with trail_on(tmp_path, tsa_url="http://127.0.0.1:1", **given):
            pass


@pytest.mark.dialect
async def test_verification_holds_each_stamp_to_its_checkpoint(tmp_path, authority, database):
    async with trail_on(tmp_path, **authority.settings, **database) as trail:
        await trail.grow(3)
        await trail.publish()
        await stamper_of(trail).stamp_due(system_now() + NEXT_MINUTE)
        assert await problems(trail) == []
        async with trail.runtime.database.transaction() as tx:
            for size, stamp in ((2, b"none"), (7, b"of what is gone")):
                row = {"log_id": LOG, "size": size, "stamp": stamp, "stamped_at": "now"}
                await tx.session.execute(CHECKPOINT_STAMP.insert().values(row))
            [note] = [note for _, note in await trail.checkpoints()]
            row = {"log_id": LOG, "size": 2, "note": note, "made_at": "2026-01-01T00:00"}
            await tx.session.execute(CHECKPOINT.insert().values(row))
        found = await problems(trail)
        assert [(each.index, each.kind) for each in found if each.kind == "stamp-bad"] == [
            (2, "stamp-bad"),
            (7, "stamp-bad"),
        ]


async def problems(trail):
    settings = trail.runtime.settings
    found = await verify(
        settings.database_url_of("audit"),
        verifiers=[verifier_of(settings)],
        origin=settings.trail_origin,
        authority=authority_of(settings),
        processes=1,
    )
    return [problem for log in found.logs for problem in log.problems]
