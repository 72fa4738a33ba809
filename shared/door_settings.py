"""Settings of the doors: the limits of every HTTP request and connection. Each name ends with its unit.

The defaults suit one process behind no proxy. They are wide enough for a branch office behind one address, and for the
demo, the tests and the benchmarks, which send everything from one loopback address with a few tokens.
"""

from ipaddress import ip_network
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode

ORIGIN = r"^https?://[a-zA-Z0-9.\[\]:-]+$"


def _parts(value: object) -> object:
    """The parts of a text with commas; anything else unchanged."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _network(value: object) -> object:
    """An address or network, checked. Raises ValueError for anything else."""
    if not isinstance(value, str):
        raise ValueError("must be an address or a network, such as 10.0.0.7 or 10.0.0.0/8")
    try:
        ip_network(value)
    except ValueError:
        raise ValueError("must be an address or a network, such as 10.0.0.7 or 10.0.0.0/8") from None
    return value


Network = Annotated[str, BeforeValidator(_network)]
Origin = Annotated[str, Field(pattern=ORIGIN)]


class DoorSettings(BaseSettings):
    """What every process with a port needs."""

    json_bytes_max: int = Field(
        1024 * 1024, ge=1_000, description="largest body of a request, in bytes; files have more"
    )
    body_seconds_max: float = Field(30.0, gt=0, description="how long the body of a request may take, in seconds")
    upload_idle_seconds_max: float = Field(
        30.0, gt=0, description="longest pause within the upload of a file, in seconds"
    )
    upload_seconds_max: float = Field(1_800.0, gt=0, description="how long the upload of a file may take, in seconds")
    header_seconds_max: float = Field(10.0, gt=0, description="how long the header of a request may take, in seconds")
    header_bytes_max: int = Field(32_768, ge=1_000, description="largest header of a request, in bytes")
    send_seconds_max: float = Field(
        60.0, gt=0, description="how long a caller may leave the next piece of an answer unread, in seconds"
    )
    keep_alive_seconds_max: float = Field(
        75.0, gt=0, description="how long a connection stays open without a request, in seconds; the gateway's is less"
    )
    connections_max: int = Field(4_000, ge=10, description="open connections of one process")
    connections_per_address_max: int = Field(
        500, ge=2, description="open connections of one address; one more closes the oldest that has no request"
    )
    requests_per_second_per_address_max: float = Field(
        500.0, gt=0, description="requests a second of one address to one service of one process, in the long run"
    )
    requests_per_second_per_token_max: float = Field(
        200.0, gt=0, description="requests a second with one token to one service of one process, in the long run"
    )
    requests_burst_seconds: float = Field(
        5.0, gt=0, description="how many seconds' worth of requests may come at once after a quiet time"
    )
    requests_at_once_per_address_max: int = Field(
        256, ge=1, description="requests of one address under way at once, in one service of one process"
    )
    requests_at_once_per_token_max: int = Field(
        64, ge=1, description="requests with one token under way at once, in one service of one process"
    )
    database_wait_seconds_max: float = Field(
        10.0,
        gt=0,
        description="how long a request waits for its turn to write (SQLite) or for a connection of the pool",
    )
    writer_seconds_max: float = Field(
        30.0, gt=0, description="how long one transaction may hold SQLite's only writer before the process is not ready"
    )
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_parts)] = Field(
        (),
        description="addresses or networks of the proxies whose X-Forwarded-For counts, with commas; default: none",
    )
    cors_origins: Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(_parts)] = Field(
        (), description="origins whose pages may call the API (CORS), with commas, such as https://desk.example"
    )
