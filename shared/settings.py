"""Settings of one process, from environment variables with the prefix DOORSTEP_.

The embedded form needs none. Production refuses whatever would be unsafe there, and says which setting mends it.
A `.env` in the working folder is read in development only.
"""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BeforeValidator, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsConfigDict, SettingsError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from shared.door_settings import DoorSettings
from shared.errors import CannotRun

PREFIX = "DOORSTEP_"
DRIVERS = ("postgresql+asyncpg", "sqlite+aiosqlite")
WEB_ADDRESS = r"^https?://[^\s/]+"


class Environment(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


class SettingsRefused(Exception):
    """These settings must not be run with; each line names a setting and how to mend it."""


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


class Settings(DoorSettings):
    """What every service needs. A service adds its own in its settings.py."""

    model_config = SettingsConfigDict(env_prefix="DOORSTEP_", env_ignore_empty=True, extra="ignore", frozen=True)

    environment: Environment = Field(Environment.DEVELOPMENT, description="development or production")
    data_dir: Path = Field(Path(".doorstep"), description="folder of the embedded form: databases, bus, keys")
    keys_dir: Path | None = Field(None, description="folder of keys, owner-only; default: keys in the data folder")
    database_url: str | None = Field(
        None, description="postgresql+asyncpg://… of this service's database; default: a SQLite file in the data folder"
    )
    database_password_file: Path | None = Field(
        None, description="file with the database's password, for an address that names none"
    )
    storage_free_bytes_min: int = Field(
        64 * 1024 * 1024,
        ge=0,
        description="room kept free on the disk of the data folder, in bytes (SQLite only): with less, files and "
        "exports are refused and wait, so that small writes still find room",
    )
    database_connections_max: int = Field(32, ge=1, description="size of the connection pool")
    lock_timeout_ms: int = Field(5_000, ge=1, description="how long a statement waits for a lock")
    statement_timeout_ms: int = Field(30_000, ge=1, description="how long a statement may run (PostgreSQL)")
    kafka_bootstrap: str | None = Field(
        None, description="host:port of the Kafka brokers; default: the bus is a SQLite file in the data folder"
    )
    kafka_replication: int = Field(1, ge=1, description="copies of each topic; production wants 3")
    kafka_min_insync: int | None = Field(
        None, ge=1, description="copies that must have a record before it is acknowledged; default: all but one"
    )
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"
    )
    kafka_sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        "SCRAM-SHA-512", description="SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN"
    )
    kafka_username: str | None = Field(None, description="who we are at the brokers (SASL)")
    kafka_password_file: Path | None = Field(None, description="file with the password at the brokers (SASL)")
    kafka_ca_file: Path | None = Field(None, description="certificates (PEM) by which the brokers are known")
    kafka_certificate_file: Path | None = Field(
        None, description="our own certificate (PEM), where brokers ask for one"
    )
    kafka_key_file: Path | None = Field(None, description="private key (PEM) of our own certificate")
    oidc_issuer: str | None = Field(
        None, description="OpenID Connect issuer whose tokens are accepted; default: the development issuer"
    )
    oidc_audience: str = Field("doorstep", description="audience that a token must be made for")
    jwks_file: Path | None = Field(None, description="the issuer's public keys as a file, instead of its address")
    service_key_file: Path | None = Field(
        None, description="private key (PEM, Ed25519) by which a service signs its calls to another"
    )
    service_jwks_file: Path | None = Field(None, description="public keys of the services (JWKS)")
    master_key_file: Path | None = Field(
        None,
        description="file of the master keys, which wrap the keys of personal data: one key (32 bytes, base64) a line, "
        "newest first; changed without a restart",
    )
    digest_secret_file: Path | None = Field(
        None,
        description="secret (32 bytes, base64) by which known debtors are recognised; it never changes. In an "
        "installation that was made without it, it is a copy of the master key of that time",
    )
    clock: AwareDatetime | None = Field(
        None, description="start of a simulated business clock (RFC 3339 with offset), for demos and tests only"
    )
    otlp_endpoint: str | None = Field(
        None,
        pattern=WEB_ADDRESS,
        description="http://host:port of an OpenTelemetry collector (OTLP over HTTP); default: no traces",
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)] = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR"
    )

    @field_validator("database_url")
    @classmethod
    def _database_can_be_used(cls, url: str | None) -> str | None:
        try:
            usable = url is None or make_url(url).drivername in DRIVERS
        except ArgumentError:
            usable = False
        if not usable:
            raise ValueError("must be an address such as postgresql+asyncpg://doorstep@localhost/doorstep_cases")
        return url

    @classmethod
    def load(cls, **overrides: object) -> Self:
        """Settings of this process, checked. Raises SettingsRefused for a value that is not allowed, and in production
        where something is unsafe."""
        try:
            settings = cls(_env_file=dotenv_file(), **overrides)  # type: ignore[arg-type]
        except ValidationError as error:
            raise SettingsRefused("\n".join(cls._what_is_wrong(each) for each in error.errors())) from None
        except SettingsError as error:
            raise SettingsRefused(cls._not_json(error)) from None
        except UnicodeDecodeError:
            raise SettingsRefused(".env in the working folder is not UTF-8 text: save it as UTF-8.") from None
        problems = settings.production_problems() if settings.environment is Environment.PRODUCTION else []
        if problems:
            raise SettingsRefused("These settings are refused in production:\n- " + "\n- ".join(problems))
        return settings

    @classmethod
    def _what_is_wrong(cls, error: ErrorDetails) -> str:
        """Which setting, and what is allowed. The value is not repeated: it may be a secret."""
        name, *deeper = map(str, error["loc"]) if error["loc"] else [""]
        kind, context = error["type"], error.get("ctx", {})
        if kind == "value_error":
            allowed = str(context["error"])
        elif kind == "timezone_aware":
            allowed = "must be a time with its offset, such as 2026-03-02T08:00:00+08:00"
        elif kind == "string_pattern_mismatch" and context["pattern"] == WEB_ADDRESS:
            allowed = "must be an address that begins with http:// or https://"
        else:
            allowed = error["msg"].replace("Input should", "must")
        field = cls.model_fields.get(name)
        meaning = f" ({field.description})" if field is not None and field.description else ""
        return f"{PREFIX}{'.'.join([name.upper(), *deeper])}{meaning}: {allowed}."

    @classmethod
    def _not_json(cls, error: SettingsError) -> str:
        """pydantic-settings names the field in its message only."""
        named = next((name for name in cls.model_fields if f'"{name}"' in str(error)), "")
        field = cls.model_fields.get(named)
        meaning = f" ({field.description})" if field is not None else ""
        return f"{PREFIX}{named.upper()}{meaning}: must be a JSON object."

    @classmethod
    def of(cls, settings: "Settings") -> Self:
        """These settings as those of one service. Raises TypeError where they are another's."""
        if not isinstance(settings, cls):
            raise TypeError(f"{cls.__name__} are needed, not {type(settings).__name__}")
        return settings

    def production_problems(self) -> list[str]:
        """Why these settings may not run in production; empty if they may."""
        problems = []
        if not (self.database_url or "").startswith("postgresql"):
            problems.append("the database is SQLite: set DOORSTEP_DATABASE_URL to postgresql+asyncpg://…")
        if self.kafka_bootstrap is None:
            problems.append("the bus is embedded: set DOORSTEP_KAFKA_BOOTSTRAP to the brokers")
        if self.kafka_security in ("PLAINTEXT", "SASL_PLAINTEXT"):
            problems.append("events would travel to Kafka in clear: set DOORSTEP_KAFKA_SECURITY to SASL_SSL or SSL")
        if self.kafka_replication == 1:
            problems.append("each event would have one copy in Kafka: set DOORSTEP_KAFKA_REPLICATION to 3")
        if self.clock is not None:
            problems.append("the business clock is simulated: unset DOORSTEP_CLOCK")
        if self.oidc_issuer is None:
            problems.append("tokens come from the development issuer: set DOORSTEP_OIDC_ISSUER")
        for name in ("master_key_file", "digest_secret_file", "service_key_file", "service_jwks_file"):
            if getattr(self, name) is None:
                problems.append(f"a development key would be used: set DOORSTEP_{name.upper()}")
        return problems

    def kafka_problems(self) -> list[str]:
        """Why no client of the brokers can be made from these settings; empty if one can."""
        problems = []
        if self.kafka_security.startswith("SASL"):
            for name in ("kafka_username", "kafka_password_file"):
                if getattr(self, name) is None:
                    problems.append(f"the brokers ask who we are: set DOORSTEP_{name.upper()}")
        for name in ("kafka_password_file", "kafka_ca_file", "kafka_certificate_file", "kafka_key_file"):
            path = getattr(self, name)
            if path is not None and not path.is_file():
                problems.append(f"DOORSTEP_{name.upper()}: there is no file {path}")
        return problems

    @property
    def keys_path(self) -> Path:
        return self.keys_dir or self.data_dir / "keys"

    def database_url_of(self, service: str) -> str:
        """SQLAlchemy URL of a service's database."""
        if self.database_url is None:
            return f"sqlite+aiosqlite:///{self.data_dir / (service + '.sqlite3')}"
        if self.database_password_file is None:
            return self.database_url
        password = self.text_of("database_password_file").strip()
        return make_url(self.database_url).set(password=password).render_as_string(hide_password=False)

    def content_of(self, name: str) -> bytes:
        """The bytes of the file that a setting names. Raises CannotRun where it cannot be read."""
        path: Path = getattr(self, name)
        try:
            return path.read_bytes()
        except OSError as error:
            raise CannotRun(f"{PREFIX}{name.upper()}: {path} cannot be read: {error.strerror}.") from error

    def text_of(self, name: str) -> str:
        """The text of the file that a setting names. Raises CannotRun, or SettingsRefused where it is not UTF-8."""
        try:
            return self.content_of(name).decode()
        except UnicodeDecodeError:
            raise SettingsRefused(f"{PREFIX}{name.upper()}: {getattr(self, name)} is not UTF-8 text.") from None


def dotenv_file() -> str | None:
    """The `.env` that is read: none in production."""
    here = {name.upper(): value for name, value in os.environ.items()}
    return None if here.get(f"{PREFIX}ENVIRONMENT") == Environment.PRODUCTION else ".env"
