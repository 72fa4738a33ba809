"""Logs and metrics. A log line holds fields of the allow-list only, so that no personal data can slip in."""

import json
import logging
import sys
from datetime import UTC, datetime

from prometheus_client import Counter, Gauge, Histogram

from shared.clock import monotonic_seconds

# fmt: off
ALLOWED_FIELDS = frozenset(
    {
        "actor", "attempts", "batch", "case_id", "cause", "client_request_id", "code", "consumer", "count",
        "correlation_id", "epoch", "event_id", "event_type", "host", "job", "key", "lag", "lender_id", "log", "method",
        "milliseconds", "offset", "partition", "placement_id", "port", "reason", "request_id", "role", "route",
        "rows", "seconds", "service", "size", "status", "step", "subject", "topic", "visit_id", "wave",
    }
)
# fmt: on

REQUESTS = Histogram(
    "doorstep_request_seconds", "Time to answer an HTTP request", ["service", "method", "route", "status"]
)
REFUSALS = Counter(
    "doorstep_refusals_total",
    "Requests answered by a problem, by its code; other refusals by status",
    ["service", "code"],
)
CONNECTIONS_CLOSED = Counter(
    "doorstep_connections_closed_total", "Connections closed by a limit: its name without _max", ["limit"]
)
OUTBOX_PENDING = Gauge("doorstep_outbox_pending", "Outbox rows not published yet", ["service"])
OUTBOX_OLDEST_SECONDS = Gauge("doorstep_outbox_oldest_seconds", "Age of the oldest unpublished row", ["service"])
OUTBOX_PARKED_KEYS = Gauge(
    "doorstep_outbox_parked_keys", "Keys that wait behind a row that cannot be sent", ["service"]
)
RELAYED = Counter("doorstep_relayed_total", "Events published", ["service"])
RELAY_WAVE_ROWS = Histogram(
    "doorstep_relay_wave_rows", "Rows of one wave", ["service"], buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500)
)
RELAY_PUBLISH_SECONDS = Histogram("doorstep_relay_publish_seconds", "From sending a wave to its last ack", ["service"])
RELAY_ERRORS = Counter("doorstep_relay_errors_total", "Publishing attempts that failed", ["service"])
RELAY_EPOCH = Gauge("doorstep_relay_epoch", "Fencing epoch of the relay's lease", ["service"])
CONSUMER_LAG = Gauge("doorstep_consumer_lag", "Records on the bus that this consumer has not handled", ["consumer"])
CONSUMER_PROGRESS_AGE = Gauge(
    "doorstep_consumer_progress_age_seconds", "Since the consumer last got on, or had nothing to do", ["consumer"]
)
CONSUMER_RECREATED = Counter("doorstep_consumer_recreated_total", "Silent members replaced by a new one", ["consumer"])
REBALANCES = Counter("doorstep_rebalances_total", "Times that partitions were assigned again", ["consumer"])
HANDLED = Counter("doorstep_handled_total", "Events by result: done, duplicate, failed", ["consumer", "type", "result"])
HANDLER_SECONDS = Histogram("doorstep_handler_seconds", "Time in the handlers of one event", ["consumer", "type"])
BATCH_SECONDS = Histogram("doorstep_handler_batch_seconds", "Time of a batch of events, commit included", ["consumer"])
DELIVERY_SECONDS = Histogram(
    "doorstep_delivery_seconds", "From the event's time to the consumer's commit", ["consumer"],
    buckets=(0.002, 0.004, 0.008, 0.016, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300),
)  # fmt: skip
PARKED = Counter("doorstep_parked_total", "Events parked behind a key that fails", ["consumer"])
PARKED_KEYS = Gauge("doorstep_parked_keys", "Keys that wait behind an event that fails", ["consumer"])
DEAD_LETTERS = Counter("doorstep_dead_letters_total", "Events that could not be read", ["consumer"])
TRAIL_UNPUBLISHED_SECONDS = Gauge(
    "doorstep_trail_unpublished_seconds", "Since when entries wait for a published checkpoint; 0 if none do"
)
TRAIL_VERIFIED_AT = Gauge("doorstep_trail_verified_at", "Unix time of the last verification that found nothing wrong")
TRAIL_PROBLEMS = Gauge("doorstep_trail_problems", "What the last verification found wrong with the trail")
TRAIL_VERIFY_SECONDS = Gauge("doorstep_trail_verify_seconds", "How long the last verification took")
TRAIL_UNSTAMPED_SECONDS = Gauge(
    "doorstep_trail_unstamped_seconds", "Age of the oldest kept checkpoint without a time stamp; 0 if all have one"
)
WITNESS_ANSWERS = Counter("doorstep_witness_answers_total", "What witnesses answered: cosigned, or why not", ["result"])
WITNESS_QUORUM_MISSED = Counter("doorstep_witness_quorum_missed_total", "Checkpoints that no quorum cosigned")
CHECKPOINT_COPIES_FAILED = Counter(
    "doorstep_checkpoint_copies_failed_total", "Checkpoints that could not be written to DOORSTEP_CHECKPOINT_DIR"
)
STORAGE_FULL = Gauge("doorstep_storage_full", "1 while writes are refused because the disk is full", ["service"])
STORAGE_FREE_BYTES = Gauge(
    "doorstep_storage_free_bytes", "Room on the disk of the data folder (embedded form)", ["service"]
)
BUS_DOWN = Gauge("doorstep_bus_down", "1 while the brokers do not answer this process", ["client"])

TRAIL_ALARMS = Counter("doorstep_trail_alarms_total", "Entries of the trail that a person must look at", ["type"])
for _type in ("trail.gap", "trail.conflict", "trail.rejected"):
    TRAIL_ALARMS.labels(_type)  # a counter that begins at its first event would show no increase
TRAIL_BROKEN = Gauge("doorstep_trail_broken", "1 when the trail takes nothing more until a person has looked")


class Log:
    """A logger whose fields must be on the allow-list; any other name is a programming error and raises."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"doorstep.{name}")

    def debug(self, message: str, **fields: object) -> None:
        self._write(logging.DEBUG, message, fields)

    def info(self, message: str, **fields: object) -> None:
        self._write(logging.INFO, message, fields)

    def warning(self, message: str, **fields: object) -> None:
        self._write(logging.WARNING, message, fields)

    def error(self, message: str, **fields: object) -> None:
        self._write(logging.ERROR, message, fields)

    def crash(self, message: str, error: BaseException, **fields: object) -> None:
        """An error that is our fault, with its type and place."""
        self._write(logging.ERROR, message, fields, error)

    def _write(self, level: int, message: str, fields: dict[str, object], error: BaseException | None = None) -> None:
        strange = fields.keys() - ALLOWED_FIELDS
        if strange:
            raise ValueError(f"log fields not on the allow-list: {sorted(strange)}")
        self._logger.log(level, message, extra={"doorstep": fields}, exc_info=error)


class Throttled:
    """Logs a trouble that goes on once a minute, not at each try."""

    def __init__(self, log: Log, every_seconds: float = 60.0) -> None:
        self._log = log
        self._every_seconds = every_seconds
        self._told_at: dict[str, float] = {}

    def warning(self, message: str, **fields: object) -> None:
        now = monotonic_seconds()
        if now - self._told_at.get(message, -self._every_seconds) >= self._every_seconds:
            self._told_at[message] = now
            self._log.warning(message, **fields)


class JsonLines(logging.Formatter):
    """One JSON object a line. Exceptions are shown by type and place, never by message: it may quote data."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage() if record.name.startswith("doorstep") else record.msg,
        }
        line.update({name: _plain(value) for name, value in getattr(record, "doorstep", {}).items()})
        if record.exc_info and record.exc_info[0]:
            line["exception"] = record.exc_info[0].__name__
            frames = record.exc_info[2]
            while frames and frames.tb_next:
                frames = frames.tb_next
            if frames:
                line["at"] = f"{frames.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{frames.tb_lineno}"
        return json.dumps(line, ensure_ascii=False)


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def set_up_logging(level: str) -> None:
    """Structured lines on standard error; the Kafka client's noise of each retry is held back."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy, threshold in {
        "aiokafka": "CRITICAL",
        "httpx": "WARNING",
        "uvicorn": "WARNING",
        "alembic": "WARNING",
    }.items():
        logging.getLogger(noisy).setLevel(threshold)
