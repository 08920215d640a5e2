"""Sends records to Amazon CloudWatch Logs.

    spool -> courier -> [cloudwatch] ~~> PutLogEvents

Requests are made and signed here; botocore is asked for credentials only, and only where the
environment holds none. Delivery is at least once: `_cid` tells an event that came twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import SplitResult, unquote

from clerestory.delivery.policy import DestinationConfig
from clerestory.delivery.port import BatchLimits, Receipt, Refusal
from clerestory.model.errors import ConfigurationError
from clerestory.transport.aws import AwsOptions, AwsService
from clerestory.transport.log_groups import LogGroups, LogPlace
from clerestory.wire.services import cloudwatch as wire
from clerestory.wire.services.log_streams import StreamNames

if TYPE_CHECKING:
    from clerestory.delivery.port import Batch
    from clerestory.transport.exchange import Exchange

RETENTION_DAYS: Final = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
_GROUP_NAME: Final = re.compile(r"[.\-_/#A-Za-z0-9]{1,512}")
_NAME_CHARS_MAX: Final = 120
_TAGS_MAX: Final = 50
_AT_LEAST: Final = {"max_queue_size": 1, "message_bytes": 400, "batch_bytes": 426}


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudWatchConfig(DestinationConfig):
    """Options of the destination `cloudwatch`.

    Attributes:
        log_group: Log group that events go to.
        log_stream: Log stream in it. None for one that every process has for itself,
            `hostname_YYYYMMDD_HHMMSS_pid`. May hold `{machine_name}`, `{program_name}`,
            `{logger_name}`, `{process_id}`, `{thread_name}` and `{strftime:%Y-%m-%d}`.
        region: Such as `eu-central-1`; else AWS_REGION, AWS_DEFAULT_REGION, the profile's, the
            machine's.
        create_log_group: Whether a missing group is created. If not, records wait until it is
            there.
        create_log_stream: Whether a missing stream is created. If not, records wait.
        batch_size: So many waiting records are sent at once, without waiting for
            `flush_interval`; 1 to 10,000.
        flush_interval: The oldest record waits at most this long, in seconds.
        max_queue_size: When so many records wait they are sent at once, whatever `batch_size` and
            `flush_interval` say. None is dropped because of it: they wait in the spool, which is
            bounded in bytes.
        compress_logs: Whether bodies travel as gzip.
        async_upload: Whether a logging call returns before CloudWatch has the record. If not, it
            waits for it, at most ten seconds.
        retry_delay: Upper bound of the first wait after a failure, in seconds.
        aws_access_key_id: Explicit credentials, with `aws_secret_access_key`; else those of the
            environment, the shared files, the container's or machine's role.
        aws_secret_access_key: See `aws_access_key_id`.
        aws_session_token: Of temporary explicit credentials.
        profile: Of the shared AWS files.
        endpoint_url: In place of AWS's own; else AWS_ENDPOINT_URL_CLOUDWATCH_LOGS,
            AWS_ENDPOINT_URL.
        retention_days: How long CloudWatch keeps events of a group that is created here; None
            for ever.
        log_group_tags: Tags of a group that is created here.
        credentials: In place of all these, an object of boto3's that has
            `get_frozen_credentials()`; for programs.
        message_bytes: A longer event is shortened: its largest text is cut and
            `_truncated_bytes` added.
        batch_bytes: Most bytes of one request, as AWS counts them.
        message_format: `json`: an event is the whole record. `text`: its message alone.
        add_origin: Whether each event says its `service` and `host`; the stream's name says the
            host anyway.
    """

    log_group: str
    log_stream: str | None = None
    region: str | None = None
    create_log_group: bool = True
    create_log_stream: bool = True
    batch_size: int = 100
    flush_interval: float = field(default=5.0, metadata={"kind": "seconds"})
    max_queue_size: int = 10_000
    compress_logs: bool = True
    async_upload: bool = True
    retry_delay: float = field(default=1.0, metadata={"kind": "seconds"})
    aws_access_key_id: str | None = None
    aws_secret_access_key: str | None = field(default=None, repr=False)
    aws_session_token: str | None = field(default=None, repr=False)
    profile: str | None = None
    endpoint_url: str | None = None
    retention_days: int | None = None
    log_group_tags: Mapping[str, str] = field(default_factory=dict)
    credentials: Any = field(default=None, repr=False)
    message_bytes: int = wire.MESSAGE_BYTES_MAX
    batch_bytes: int = wire.BATCH_BYTES_MAX
    message_format: Literal["json", "text"] = "json"
    add_origin: bool = False

    def __post_init__(self) -> None:
        """Keep `batch_size` between 1 and what AWS and `max_queue_size` allow."""
        size = max(1, min(self.batch_size, self.max_queue_size, wire.EVENTS_MAX))
        object.__setattr__(self, "batch_size", size)


@dataclass(slots=True, kw_only=True)
class _Begun:
    """A batch of several streams, of which some have their events already.

    When it comes again, perhaps with more lines behind it, these are not put twice.
    """

    spool_id: str
    first: int
    taken: int = 0
    streams: set[str] = field(default_factory=set)
    refused: list[tuple[int, str]] = field(default_factory=list)

    def same_lines(self, lines: bytes) -> bytes:
        """Return those of the lines that were cut off the first time; all if it is the first."""
        if not self.streams:
            return lines
        return b"\n".join(lines.split(b"\n")[: self.taken]) + b"\n"


class CloudWatch:
    """A log group of CloudWatch Logs.

    Raises:
        ConfigurationError: A name, a number or a pair of credentials cannot be.
    """

    Config = CloudWatchConfig
    adopts = True
    # The identity and the overhead of an event make a batch some 40 % larger.
    limits = BatchLimits(lines=wire.EVENTS_MAX, size_bytes=720_000)

    def __init__(self, config: CloudWatchConfig) -> None:
        _check(config)
        self._config = config
        self._streams = StreamNames(config.log_stream)
        self._service = AwsService(
            "logs", "CLOUDWATCH_LOGS", AwsOptions.of(config, compress=config.compress_logs)
        )
        self._groups = LogGroups(
            self._service,
            create_group=config.create_log_group,
            create_stream=config.create_log_stream,
            retention_days=config.retention_days,
            tags=config.log_group_tags,
        )
        self._begun: _Begun | None = None
        self._ahead: tuple[Batch, int, wire.Events] | None = None
        self.name = _name(config)

    @staticmethod
    def options(url: SplitResult) -> dict[str, Any]:
        """Return the options of `cloudwatch://REGION/group`.

        The group is the path without its first slash: `cloudwatch://eu-central-1/shop` means the
        group `shop`, `cloudwatch://eu-central-1//aws/shop` the group `/aws/shop`. Without a
        region: `cloudwatch:///shop`.
        """
        options: dict[str, Any] = {"log_group": unquote(url.path[1:])}
        if url.netloc:
            options["region"] = url.netloc
        return options

    def send(self, batch: Batch) -> Receipt:
        """Put the events from the front of the batch that one request a stream may hold."""
        begun = self._begun
        if begun is None or (begun.spool_id, begun.first) != (batch.spool_id, batch.first):
            begun = _Begun(spool_id=batch.spool_id, first=batch.first)
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] is batch and not begun.streams:
            _, taken, events = ahead
        else:
            taken, events = self._cut(batch, begun.same_lines(batch.lines))
        begun.taken = taken
        events, aside = wire.set_aside(events, wire.now_ms())
        if events.times:
            self._begun = begun
            self._put(events, batch, begun)
        self._begun = None
        refused = sorted([*aside, *begun.refused])
        return Receipt(
            taken=taken,
            refused=tuple(Refusal(index=index, reason=reason) for index, reason in refused),
        )

    def _cut(self, batch: Batch, lines: bytes) -> tuple[int, wire.Events]:
        config = self._config
        form = wire.Form(
            spool_id=batch.spool_id,
            common=wire.origin(batch.resource) if config.add_origin else (),
            text=config.message_format == "text",
            message_bytes=min(config.message_bytes, wire.MESSAGE_BYTES_MAX),
            batch_bytes=min(config.batch_bytes, wire.BATCH_BYTES_MAX),
        )
        return wire.cut(lines, batch.first, form)

    def _put(self, events: wire.Events, batch: Batch, begun: _Begun) -> None:
        """Put the events into their streams, but for those that have theirs.

        While the first answer is awaited, the events of the batch behind are made.
        """

        def prepare() -> None:
            following = batch.ahead(begun.taken) if self._ahead is None else None
            if following is not None:
                self._ahead = (following, *self._cut(following, following.lines))

        for stream, part in self._streams.sort_out(events, batch.lines, batch.resource):
            if stream in begun.streams:
                continue
            place = LogPlace(group=self._config.log_group, stream=stream)
            ordered = part.by_time()
            content = wire.body(place.group, place.stream, ordered)
            begun.refused += wire.refusals(self._groups.put(place, content, prepare), ordered)
            begun.streams.add(stream)

    @property
    def exchange(self) -> Exchange:
        """The connection; see `AwsService`."""
        return self._service.exchange

    def close(self) -> None:
        """Close the connection."""
        self._service.close()


def _name(config: CloudWatchConfig) -> str:
    """Return a name that is the same in every run: no process, time or secret in it."""
    where = (config.endpoint_url or "").partition("//")[2]
    parts = ("cloudwatch", where, config.region, config.log_group, config.log_stream)
    whole = "-".join(part for part in parts if part)
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", whole)
    if len(name) > _NAME_CHARS_MAX:
        digest = blake2b(whole.encode(), digest_size=6).hexdigest()
        name = f"{name[:_NAME_CHARS_MAX]}-{digest}"
    return name


def _check(config: CloudWatchConfig) -> None:
    """Refuse now what AWS would refuse of every batch."""
    group = config.log_group
    if not _GROUP_NAME.fullmatch(group) or group.startswith("aws/"):
        raise ConfigurationError(
            f"cloudwatch: log_group {group!r} is no name of a log group: 1 to 512 of the "
            "characters A-Z a-z 0-9 . - _ / #, not beginning with aws/"
        )
    for name in ("max_queue_size", "message_bytes", "batch_bytes"):
        if getattr(config, name) < _AT_LEAST[name]:
            raise ConfigurationError(
                f"cloudwatch: {name} {getattr(config, name)} must be at least {_AT_LEAST[name]}"
            )
    days = config.retention_days
    if days is not None and days not in RETENTION_DAYS:
        near = min(RETENTION_DAYS, key=lambda known: abs(known - days))
        raise ConfigurationError(
            f"cloudwatch: retention_days {days} is not one that AWS knows; the nearest is {near}"
        )
    if len(config.log_group_tags) > _TAGS_MAX:
        raise ConfigurationError(
            f"cloudwatch: {len(config.log_group_tags)} log_group_tags; AWS takes at most 50"
        )
    if bool(config.aws_access_key_id) != bool(config.aws_secret_access_key):
        raise ConfigurationError(
            "cloudwatch: give both aws_access_key_id and aws_secret_access_key, or neither"
        )
