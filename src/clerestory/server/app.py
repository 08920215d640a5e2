r"""Put the rooms together: which path is answered by what.

    socket -> guard -> [app] -> intake -> store
                            \-> api, tails, static

Invariant: an error of a request is an answer to that request and nothing else.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from clerestory.model.errors import LimitError
from clerestory.server.api import admin, logs
from clerestory.server.api.answers import error_response, json_response
from clerestory.server.api.insights import Insights
from clerestory.server.api.live import Hub
from clerestory.server.api.metrics import metrics_text
from clerestory.server.aws.endpoint import answered
from clerestory.server.aws.house import AwsHouse, build_aws
from clerestory.server.guard import LOOPBACK, Guard
from clerestory.server.ingest.otlp_grpc import Door
from clerestory.server.intake import Intake
from clerestory.server.jobs import Jobs
from clerestory.server.limits import ServerOptions
from clerestory.server.programs import Programs
from clerestory.server.static import Static
from clerestory.server.store.batch import Batch, Kind
from clerestory.server.store.embedded import Connection, EmbeddedStore
from clerestory.server.store.writer import Writer
from clerestory.server.tails import Tails
from clerestory.server.traces.heat import heat_map
from clerestory.server.traces.search import search
from clerestory.server.traces.services import service_map
from clerestory.server.traces.suggest import suggest_spans
from clerestory.server.traces.trace import one_trace
from clerestory.server.traces.usual import usual_spans
from clerestory.server.xray.house import XrayHouse, build_xray

UI: Final = Path(__file__).parent.parent / "ui" / "dist"
OTLP_GRPC: Final = "OTLP logs and traces over gRPC"
XRAY_DAEMON: Final = "X-Ray daemon, UDP and TCP"

Answer = Callable[[Connection, Mapping[str, str]], Any]


@dataclass(slots=True)
class House:
    """Everything that a running server consists of."""

    options: ServerOptions
    store: EmbeddedStore
    writer: Writer
    jobs: Jobs
    hub: Hub
    intake: Intake
    programs: Programs
    aws: AwsHouse
    xray: XrayHouse
    otlp_grpc: Door
    started_ms: int

    def doors(self) -> list[dict[str, Any]]:
        """Return where records come in, but for what is turned off.

        Returns:
            Of each `what`, `address`, `port`, `open`, and `why` if it is not.
        """
        options, full = self.options, self.jobs.disk_full
        host = f"[{options.host}]" if ":" in options.host else options.host
        http = f"{host}:{options.port}"
        found = [
            ("records", http, ""),
            ("OTLP logs over HTTP", http, ""),
            ("OTLP traces over HTTP", http, ""),
            (OTLP_GRPC, self.otlp_grpc.address or options.otlp_grpc_address, self.otlp_grpc.why),
            (XRAY_DAEMON, self.xray.address or options.xray_address, self.xray.why),
        ]
        return [
            {
                "what": what,
                "address": address,
                "port": int(address.rpartition(":")[2]),
                "open": not (why or full),
                "why": why or ("the disk is full" if full else ""),
            }
            for what, address, why in found
            if not why.endswith(" is off")
        ]

    def close(self) -> None:
        """Store what waits and close the store."""
        self.otlp_grpc.close()
        self.xray.stop()
        self.writer.close()
        self.xray.close()
        self.aws.close()
        self.store.close()


def build_house(options: ServerOptions) -> House:
    """Open the store and set up everything that stands on it.

    Raises:
        StoreError: The store cannot be opened.
    """
    store = EmbeddedStore(options.data_dir / "store")
    writer = Writer(store, line_bytes_max=options.line_bytes_max, fields_max=options.fields_max)
    hub = Hub()
    jobs = Jobs(options, store, writer)
    aws = build_aws(options, store, writer, jobs, is_stopping=lambda: hub.closed)
    jobs.on_turn = aws.turn

    def after_commit(connection: Connection) -> None:
        hub.after_commit(connection)
        aws.after_commit(connection)

    writer.on_commit = after_commit
    programs = Programs()
    intake = Intake(options, writer, jobs, programs)
    xray = build_xray(options, store, writer, jobs, aws)
    door = intake.grpc_door()
    started_ms = int(time.time() * 1000)
    return House(options, store, writer, jobs, hub, intake, programs, aws, xray, door, started_ms)


def build_app(house: House) -> Starlette:
    """Return the ASGI application of a server."""
    pages = Pages(house)
    tails = Tails(house.hub, house.store)
    asks: dict[str, Answer] = {
        "logs": logs.list_rows,
        "histogram": logs.histogram,
        "facets": logs.facets,
        "fields": logs.fields,
        "suggest": logs.suggest,
        "traces": house.xray.in_group(search),
        "traces/histogram": house.xray.in_group(heat_map),
        "traces/suggest": suggest_spans,
        "services/map": house.xray.in_group(service_map),
    }
    routes = [
        Route("/v1/records", house.intake.records, methods=["POST"]),
        Route("/v1/traces", house.intake.otlp_traces, methods=["POST"]),
        *house.aws.routes(house.intake.otlp_logs),
        *house.xray.routes(),
        Route("/health", pages.health, methods=["GET"]),
        Route("/metrics", pages.metrics, methods=["GET"]),
        *(Route(f"/api/v1/{name}", pages.asking(ask)) for name, ask in asks.items()),
        Route("/api/v1/logs/{id}", pages.one(logs.one_row), methods=["GET"]),
        Route("/api/v1/traces/{id:path}/usual", pages.one(usual_spans), methods=["GET"]),
        Route("/api/v1/traces/{id:path}", pages.one(one_trace), methods=["GET"]),
        *Insights(house.aws.desk).routes(),
        Route("/api/v1/tail", tails.stream, methods=["GET"]),
        WebSocketRoute("/api/v1/tail", tails.websocket),
        Route("/api/v1/status", pages.status, methods=["GET"]),
        Route("/api/v1/programs", pages.programs, methods=["GET"]),
        Route("/api/v1/settings", pages.settings, methods=["GET"]),
        Route("/api/v1/test-record", pages.test_record, methods=["POST"]),
        *(
            Route(f"{base}{{rest:path}}", pages.unknown, methods=["GET", "POST", "PUT", "DELETE"])
            for base in ("/api/", "/v1/")
        ),
        Route("/{rest:path}", Static(UI).serve, methods=["GET"]),
    ]

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        clockwork = asyncio.create_task(house.jobs.run())
        yield
        clockwork.cancel()
        with suppress(asyncio.CancelledError):
            await clockwork

    named = house.options.xray_address.rpartition(":")[0].strip("[]").lower()
    own = {house.options.host.lower(), named, *house.options.hosts_allowed} - {""}
    # the AWS SDKs put this before the host of a live tail
    hosts = frozenset(own | {f"stream-{name}" for name in own | LOOPBACK})
    return Starlette(routes=routes, lifespan=lifespan, middleware=[Middleware(Guard, hosts=hosts)])


class Pages:
    """The answers that need more than one query of the store."""

    def __init__(self, house: House) -> None:
        self._house = house

    def asking(self, ask: Answer) -> Callable[[Request], Any]:
        """Return an endpoint that runs `ask` in a thread, with a borrowed connection."""

        async def endpoint(request: Request) -> Response:
            params = dict(request.query_params)

            def work(connection: Connection) -> Response:
                return json_response(ask(connection, params))

            return await self._answered(lambda: self._house.store.query(work))

        return endpoint

    async def _answered(self, work: Callable[[], Any]) -> Response:
        try:
            answer = await asyncio.to_thread(work)
        except Exception as error:  # the request boundary
            return error_response(error)
        return answer if isinstance(answer, Response) else json_response(answer)

    def one(self, ask: Callable[..., Any]) -> Callable[[Request], Any]:
        """Return an endpoint for the one thing that the path's `id` names."""

        async def endpoint(request: Request) -> Response:
            named = str(request.path_params["id"])

            def ask_named(connection: Connection, params: Mapping[str, str]) -> Any:
                return ask(connection, named, params)

            answer: Response = await self.asking(ask_named)(request)
            return answer

        return endpoint

    async def health(self, request: Request) -> Response:  # noqa: ARG002
        """Answer `/health`."""
        return json_response({"status": "ok"})

    async def metrics(self, request: Request) -> Response:  # noqa: ARG002
        """Answer `/metrics` in Prometheus' text format."""
        house = self._house
        counters = house.writer.counters
        values = {
            "records_stored_total": counters.stored,
            "records_duplicate_total": counters.duplicate,
            "records_rejected_total": counters.rejected,
            "commits_total": counters.commits,
            "batches_failed_total": counters.failed,
            "commit_seconds_total": round(counters.commit_s, 6),
            "tails_open": len(house.hub),
            "disk_free_bytes": house.jobs.vitals.disk_free_bytes,
            "job_failures_total": house.jobs.vitals.failures,
        }
        text = metrics_text(values, house.intake.refused, house.programs.samples())
        text += house.aws.counting.metrics_text() + house.xray.metrics_text()
        return Response(text, media_type="text/plain; version=0.0.4")

    async def status(self, request: Request) -> Response:  # noqa: ARG002
        """Answer `/api/v1/status`."""
        return await self._answered(self._status)

    def _status(self) -> dict[str, Any]:
        from importlib.metadata import PackageNotFoundError, version

        house = self._house
        found = admin.figures(house.store)
        newest_ms = found.pop("newest_ms")
        now_ms = int(time.time() * 1000)
        try:
            release = version("clerestory")
        except PackageNotFoundError:
            release = "unknown"
        return {
            "version": release,
            "started_ms": house.started_ms,
            "now_ms": now_ms,
            **found,
            "records_per_s": house.jobs.vitals.records_per_s,
            "lag_s": _lag_s(now_ms, newest_ms, house.jobs.vitals.records_per_s),
            "disk_free_bytes": house.jobs.vitals.disk_free_bytes,
            "refused": dict(house.intake.refused),
            "doors": house.doors(),
            "xray_address": house.xray.address,
            "otlp_grpc_address": house.otlp_grpc.address,
            "retention_days": house.options.retention_days,
            "data_dir": str(house.options.data_dir),
        }

    async def programs(self, request: Request) -> Response:  # noqa: ARG002
        """Answer `/api/v1/programs`: what each program says about its delivery."""
        return json_response({"programs": self._house.programs.rows()})

    async def settings(self, request: Request) -> Response:  # noqa: ARG002
        """Answer `/api/v1/settings`."""
        return json_response({"settings": admin.setting_rows(self._house.options)})

    async def test_record(self, request: Request) -> Response:  # noqa: ARG002
        """Answer `POST /api/v1/test-record`: store one record."""
        return await answered(self._test_record(), error_response)

    async def _test_record(self) -> Response:
        line = {
            "timestamp": time.time_ns(),
            "level": "INFO",
            "logger": "clerestory.test",
            "message": "A test record: this server stores and finds records",
        }
        resource = msgspec.json.encode({"service.name": "clerestory"})
        batch = Batch(kind=Kind.RECORDS, body=msgspec.json.encode(line), resource=resource)
        stored = await self._house.intake.store(batch)
        return json_response({"id": stored.first_id})

    async def unknown(self, request: Request) -> Response:
        """Answer a path under /api or /v1 that does not exist."""
        path = request.url.path[:200]
        message = f"{request.method} {path} does not exist here"
        return error_response(LimitError(message, code="not_found", status=404))


def _lag_s(now_ms: int, newest_ms: int | None, records_per_s: float) -> float | None:
    """Return how far the newest record is behind; None while nothing arrives."""
    if newest_ms is None or records_per_s <= 0:
        return None
    return max(0.0, (now_ms - newest_ms) / 1000)
