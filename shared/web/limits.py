"""How much one caller may ask of one service in one process: requests a second, and requests at once.

A caller is an address, and besides it a token. The token counts before it is checked: a forged one costs its address.
"""

import math
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.clock import monotonic_seconds
from shared.door_settings import DoorSettings
from shared.errors import TooOften
from shared.web.problems import problem, problem_of

CALLERS_REMEMBERED_MAX = 10_000
PATH_CHARACTERS_MAX = 2_000
QUERY_BYTES_MAX = 15_000  # the cursor of a search names up to 200 logs; the gateway takes 16 KiB
UNLIMITED = ("/health/live", "/health/ready", "/metrics")  # who watches must see a system that is asked too much
_IPV6_PREFIX_BITS = 64  # one subscriber has all addresses of such a network


class Allowance:
    """What each caller of one kind may ask. Rates are kept as the time at which the caller's past requests are paid
    for (the generic cell rate algorithm, ITU-T I.371): one number a caller, and no timer."""

    def __init__(self, kind: str, *, per_second_max: float, burst_seconds: float, at_once_max: int) -> None:
        self._kind = kind
        self._interval = 1 / per_second_max
        self._burst_seconds = burst_seconds
        self._at_once_max = at_once_max
        self._paid_at: OrderedDict[bytes, float] = OrderedDict()
        self._under_way: Counter[bytes] = Counter()

    @contextmanager
    def request(self, caller: bytes, now: float) -> Iterator[None]:
        """Count one request of a caller while it is under way. Raises TooOften where a limit is passed."""
        self._pay(caller, now)
        if self._under_way[caller] >= self._at_once_max:
            raise TooOften(
                f"too-many-at-once-per-{self._kind}",
                f"At most {self._at_once_max} requests of one {self._kind} are answered at once. Wait for answers.",
                retry_after_seconds=1,
            )
        self._under_way[caller] += 1
        try:
            yield
        finally:
            self._under_way[caller] -= 1
            if not self._under_way[caller]:
                del self._under_way[caller]

    def _pay(self, caller: bytes, now: float) -> None:
        paid_at = max(self._paid_at.get(caller, now), now) + self._interval
        wait = paid_at - now - self._burst_seconds - self._interval
        if wait > 0:
            raise TooOften(
                f"too-often-per-{self._kind}",
                f"One {self._kind} may send {1 / self._interval:g} requests a second in the long run. Try again later.",
                retry_after_seconds=max(1, math.ceil(wait)),
            )
        self._paid_at[caller] = paid_at
        self._paid_at.move_to_end(caller)
        if len(self._paid_at) > CALLERS_REMEMBERED_MAX:
            self._paid_at.popitem(last=False)


class Limits:
    """Refuses requests that are too many, and addresses that are too long."""

    def __init__(self, app: ASGIApp, settings: DoorSettings) -> None:
        self._app = app
        burst = settings.requests_burst_seconds
        self._addresses = Allowance(
            "address",
            per_second_max=settings.requests_per_second_per_address_max,
            burst_seconds=burst,
            at_once_max=settings.requests_at_once_per_address_max,
        )
        self._tokens = Allowance(
            "token",
            per_second_max=settings.requests_per_second_per_token_max,
            burst_seconds=burst,
            at_once_max=settings.requests_at_once_per_token_max,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNLIMITED:
            await self._app(scope, receive, send)
            return
        now = monotonic_seconds()
        token = Headers(scope=scope).get("authorization")
        try:
            with self._addresses.request(caller_of(scope), now):
                if _too_long(scope):
                    detail = (
                        f"A path has at most {PATH_CHARACTERS_MAX:,} characters, a query {QUERY_BYTES_MAX:,} bytes."
                    )
                    await problem(414, "address-too-long", detail)(scope, receive, send)
                elif token is None:
                    await self._app(scope, receive, send)
                else:
                    with self._tokens.request(sha256(token.encode("latin-1")).digest(), now):
                        await self._app(scope, receive, send)
        except TooOften as error:
            await problem_of(error)(scope, receive, send)


def caller_of(scope: Scope) -> bytes:
    """Whose limits count: the caller's IPv4 address, or its IPv6 network."""
    host = scope["client"][0] if scope.get("client") else ""
    return network_of(host)


def network_of(host: str) -> bytes:
    """An IPv4 address as it is; of an IPv6 address the first 64 bits."""
    try:
        address = ip_address(host)
    except ValueError:
        return host.encode()
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return address.packed[: _IPV6_PREFIX_BITS // 8]
    return address.packed[-4:]


def in_networks(host: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    """Whether a host's address lies in one of these networks."""
    if not networks:
        return False
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in networks)


def _too_long(scope: Scope) -> bool:
    return len(scope["path"]) > PATH_CHARACTERS_MAX or len(scope["query_string"]) > QUERY_BYTES_MAX
