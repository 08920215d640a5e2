"""Put the rooms of the AWS endpoint together.

store, writer, jobs -> [house] -> app
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clerestory.server.aws.catalog.catalog import Catalog
from clerestory.server.aws.counting import Counting
from clerestory.server.aws.doors import Doors
from clerestory.server.aws.endpoint import Endpoint
from clerestory.server.aws.events.removal import Retention, finish_deletions
from clerestory.server.aws.events.tails import Tails
from clerestory.server.aws.protocol.tokens import Tokens
from clerestory.server.aws.queries.desk import Desk
from clerestory.server.aws.queries.kept import Queries
from clerestory.server.aws.queries.runner import InsightsRunner
from clerestory.server.aws.service import Service
from clerestory.server.jobs import Jobs
from clerestory.server.limits import ServerOptions
from clerestory.server.store.embedded import Connection, EmbeddedStore
from clerestory.server.store.promotion import Promotion
from clerestory.server.store.writer import Writer


@dataclass(slots=True, kw_only=True)
class AwsHouse:
    """Everything that the AWS endpoint consists of."""

    catalog: Catalog
    queries: Queries
    desk: Desk
    tails: Tails
    counting: Counting
    retention: Retention
    promotion: Promotion
    endpoint: Endpoint
    doors: Doors

    def after_commit(self, connection: Connection) -> None:
        """Count and show what was just stored, in the writer's thread."""
        self.counting.after_commit(connection)
        self.tails.after_commit(connection)

    def turn(self) -> None:
        """Do what is due."""
        self.retention.turn()
        self.promotion.turn()

    def routes(self, otlp_logs: Callable[[Request], Awaitable[Response]]) -> list[Route]:
        """Return the routes; `otlp_logs` answers OTLP requests that name no log group."""
        post = ["POST"]
        return [
            Route("/", self.endpoint.answer, methods=post),
            Route("/v1/logs", self.doors.otlp_or(otlp_logs), methods=post),
            Route("/services/collector/event", self.doors.hlc, methods=post),
            Route("/ingest/bulk", self.doors.lines, methods=post),
            Route("/ingest/json", self.doors.json, methods=post),
            Route("/api/v1/metric-filters", self.metric_filters, methods=["GET"]),
        ]

    async def metric_filters(self, request: Request) -> Response:  # noqa: ARG002
        """Answer `/api/v1/metric-filters`: what every filter has counted."""
        content = msgspec.json.encode({"filters": self.counting.rows()})
        headers = {"Cache-Control": "no-store"}
        return Response(content, media_type="application/json", headers=headers)

    def close(self) -> None:
        """End queries and close the metadata; the writer is closed before."""
        self.queries.close()
        self.catalog.close()


def build_aws(
    options: ServerOptions,
    store: EmbeddedStore,
    writer: Writer,
    jobs: Jobs,
    *,
    is_stopping: Callable[[], bool],
) -> AwsHouse:
    """Open the metadata and set up everything that stands on it.

    Args:
        options: The directory and the limits.
        store: The events.
        writer: Where events are put.
        jobs: Watches the disk.
        is_stopping: Whether open live tails are to end.

    Raises:
        StoreError: A deletion that an earlier run began cannot be finished.
    """
    catalog = Catalog(options.data_dir)
    finish_deletions(store, catalog)
    promotion = Promotion(store, options.attribute_columns, is_full=lambda: jobs.disk_full)
    queries = Queries(InsightsRunner(store, catalog, promotion))
    tails = Tails(is_stopping)
    service = Service(
        store=store,
        writer=writer,
        catalog=catalog,
        tokens=Tokens(catalog.key),
        queries=queries,
        tails=tails,
        retention_days=options.retention_days,
    )
    endpoint = Endpoint(options, jobs, service)
    return AwsHouse(
        catalog=catalog,
        queries=queries,
        desk=Desk(store, catalog, queries, is_stopping=is_stopping),
        tails=tails,
        counting=Counting(catalog),
        retention=Retention(store, catalog),
        promotion=promotion,
        endpoint=endpoint,
        doors=Doors(endpoint, service),
    )
