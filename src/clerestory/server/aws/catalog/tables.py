"""The tables of the metadata.

    operations -> catalog -> [tables] -> metadata.sqlite

Times are milliseconds since the epoch.
"""

from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    event,
)
from sqlalchemy.pool import StaticPool

FILE: Final = "metadata.sqlite"
METADATA: Final = MetaData()

GROUPS: Final = Table(
    "aws_log_groups",
    METADATA,
    Column("name", String(512), primary_key=True),
    Column("created", BigInteger, nullable=False),
    Column("retention_days", Integer),
    Column("kind", String(32), nullable=False),
    Column("kms_key", String(256)),
    Column("protected", Boolean, nullable=False),
    Column("tags", JSON, nullable=False),
)
STREAMS: Final = Table(
    "aws_log_streams",
    METADATA,
    Column("group_name", String(512), primary_key=True),
    Column("name", String(512), primary_key=True),
    Column("created", BigInteger, nullable=False),
)
FILTERS: Final = Table(
    "aws_metric_filters",
    METADATA,
    Column("group_name", String(512), primary_key=True),
    Column("name", String(512), primary_key=True),
    Column("created", BigInteger, nullable=False),
    Column("pattern", String(1024), nullable=False),
    Column("transformation", JSON, nullable=False),
    Column("matched", BigInteger, nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("total", Float, nullable=False),
)
DEFINITIONS: Final = Table(
    "aws_query_definitions",
    METADATA,
    Column("id", String(256), primary_key=True),
    Column("modified", BigInteger, nullable=False),
    Column("token", String(128)),
    Column("content", JSON, nullable=False),
)
# What is gone from the tables above and may still have events in the store.
DELETIONS: Final = Table(
    "aws_deletions",
    METADATA,
    Column("group_name", String(512), primary_key=True),
    Column("stream_name", String(512), primary_key=True),
)
KEYS: Final = Table(
    "aws_keys",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)


def open_engine(directory: Path) -> Engine:
    """Return the engine of a data directory's metadata, with all tables made."""
    engine = create_engine(
        f"sqlite:///{directory / FILE}",
        poolclass=StaticPool,
        connect_args={"check_same_thread": False},
    )
    event.listen(engine, "connect", _set_up)
    METADATA.create_all(engine)
    return engine


def _set_up(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()
