"""Too many requests of one address or token: 429, when to come again, and other callers are not touched."""

from ipaddress import ip_network

import pytest

from shared.auth import Role
from shared.errors import TooOften
from shared.settings import Settings
from shared.web.limits import CALLERS_REMEMBERED_MAX, Allowance, in_networks, network_of

LIST = "/cases/v1/notes"


def allowance(per_second: float = 2.0, burst_seconds: float = 2.0, at_once: int = 10) -> Allowance:
    return Allowance("token", per_second_max=per_second, burst_seconds=burst_seconds, at_once_max=at_once)


def refused_after(allowed: Allowance, now: float, caller: bytes = b"a") -> int | None:
    """How many seconds later the caller may ask again; None if this request passes."""
    try:
        with allowed.request(caller, now):
            return None
    except TooOften as error:
        return error.retry_after_seconds


def test_a_burst_passes_and_then_the_rate_holds():
    allowed = allowance()
    assert [refused_after(allowed, 0.0) for _ in range(6)] == [None] * 5 + [1]
    assert [refused_after(allowed, 0.5) for _ in range(2)] == [None, 1]
    assert [refused_after(allowed, 100.0) for _ in range(6)] == [None] * 5 + [1]


def test_a_slow_rate_says_how_long_to_wait():
    allowed = allowance(per_second=0.1, burst_seconds=1)
    assert [refused_after(allowed, 0.0) for _ in range(2)] == [None, 9]
    assert refused_after(allowed, 8.9) == 1
    assert refused_after(allowed, 9.1) is None


def test_one_caller_spends_nothing_of_another():
    allowed = allowance()
    assert [refused_after(allowed, 0.0) for _ in range(6)][-1] == 1
    assert refused_after(allowed, 0.0, b"b") is None


def test_requests_at_once_are_counted_while_they_last():
    allowed = allowance(at_once=2)
    with allowed.request(b"a", 0.0), allowed.request(b"a", 0.0):
        assert refused_after(allowed, 0.0) == 1
        assert refused_after(allowed, 0.0, b"b") is None
    assert refused_after(allowed, 0.0) is None


def test_many_callers_take_bounded_memory():
    allowed = allowance()
    for number in range(CALLERS_REMEMBERED_MAX + 100):
        refused_after(allowed, 0.0, str(number).encode())
    assert len(allowed._paid_at) == CALLERS_REMEMBERED_MAX
    assert not allowed._under_way


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.7", "10.0.0.8", False),
        ("10.0.0.7", "::ffff:10.0.0.7", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("", "10.0.0.7", False),
        ("a-socket", "a-socket", True),
    ],
)
def test_who_counts_as_one_address(one, other, same):
    assert (network_of(one) == network_of(other)) is same


def test_networks_hold_addresses_of_their_kind_only():
    networks = Settings(trusted_proxies="10.0.0.0/8, ::1").trusted_proxies
    assert networks == ("10.0.0.0/8", "::1")
    parsed = [ip_network(network) for network in networks]
    assert [in_networks(host, parsed) for host in ("10.1.2.3", "11.1.2.3", "::1", "x", "")] == [
        True, False, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"trusted_proxies": "gateway"},
        {"trusted_proxies": "*"},
        {"trusted_proxies": "10.0.0.0/99"},
        {"cors_origins": "*"},
        {"cors_origins": "https://desk.example/path"},
        {"cors_origins": "desk.example"},
        {"requests_per_second_per_token_max": 0},
        {"json_bytes_max": 0},
    ],
)
def test_a_setting_that_cannot_work_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**wrong)


async def test_too_many_requests_of_a_token_are_429_and_another_token_goes_on(running_with):
    async with running_with(requests_per_second_per_token_max=0.1, requests_burst_seconds=15) as system:
        first, second = system.caller(Role.SUPERVISOR, subject="a"), system.caller(Role.SUPERVISOR, subject="b")
        assert [(await first.get(LIST)).status_code for _ in range(3)] == [200, 200, 429]
        answer = await first.get(LIST)
        assert answer.json()["title"] == "too-often-per-token"
        assert 1 <= int(answer.headers["retry-after"]) <= 10
        assert answer.headers["x-request-id"]
        assert (await second.get(LIST)).status_code == 200


async def test_too_many_requests_of_an_address_are_429_whatever_tokens_it_invents(running_with):
    async with running_with(requests_per_second_per_address_max=0.1, requests_burst_seconds=15) as system:
        answers = [await system.bearing(f"invented-{number}").get(LIST) for number in range(3)]
        assert [answer.status_code for answer in answers] == [401, 401, 429]
        assert answers[-1].json()["title"] == "too-often-per-address"
        for path in ("/health/live", "/metrics"):
            assert (await system.bearing(None).get(path)).status_code == 200


async def test_a_long_address_is_414(system):
    anybody = system.bearing(None)
    for path in ("/cases/v1/" + "a" * 2_000, "/cases/v1/notes?x=" + "a" * 15_000):
        answer = await anybody.get(path)
        assert (answer.status_code, answer.json()["title"]) == (414, "address-too-long")
