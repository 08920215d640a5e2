"""The tables of X-Ray's metadata, in the file that holds the other metadata.

    operations -> catalog -> [tables] -> metadata.sqlite

Times are seconds since the epoch.
"""

from typing import Final

from sqlalchemy import JSON, BigInteger, Column, Float, String, Table

from clerestory.server.aws.catalog.tables import METADATA, open_engine

__all__ = ["GROUPS", "RULES", "VALUES", "open_engine"]

GROUPS: Final = Table(
    "xray_groups",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("identity", String(64), nullable=False),
    Column("expression", String(2000)),
    Column("insights", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
)
RULES: Final = Table(
    "xray_sampling_rules",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("created", Float, nullable=False),
    Column("modified", Float, nullable=False),
    Column("content", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("borrowed", BigInteger, nullable=False),
    Column("sampled", BigInteger, nullable=False),
    Column("reported", Float),
)
# Single values: the encryption, and when a rule was changed or deleted last.
VALUES: Final = Table(
    "xray_values",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("value", JSON, nullable=False),
)
