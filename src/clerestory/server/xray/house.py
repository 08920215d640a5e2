"""Put the rooms of X-Ray together.

options, store -> [house] -> app
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.routing import Route

from clerestory.server.aws.house import AwsHouse
from clerestory.server.aws.protocol.tokens import Tokens
from clerestory.server.jobs import Jobs
from clerestory.server.limits import ServerOptions
from clerestory.server.store.embedded import Connection, EmbeddedStore
from clerestory.server.store.writer import Writer
from clerestory.server.traces.scope import MembersOf
from clerestory.server.xray.catalog.catalog import Catalog
from clerestory.server.xray.counting import Counted, metrics_text
from clerestory.server.xray.daemon.address import Sockets
from clerestory.server.xray.daemon.receiver import Receiver
from clerestory.server.xray.endpoint import Endpoint
from clerestory.server.xray.sampling import Clients
from clerestory.server.xray.segments import Services
from clerestory.server.xray.service import Service
from clerestory.server.xray.telemetry import Telemetry
from clerestory.server.xray.traces.members import Members

Ask = Callable[[Connection, Mapping[str, str]], Any]
AskOfGroup = Callable[[Connection, Mapping[str, str], MembersOf | None], Any]


@dataclass(slots=True, kw_only=True)
class XrayHouse:
    """Everything that X-Ray consists of here.

    Attributes:
        service: What stands behind the API.
        endpoint: The API.
        members: Finds the traces of groups.
        jobs: Watches the disk.
        receiver: The daemon's side of UDP, once it listens.
        address: Where the daemon's protocol is served; empty: nowhere.
        why: Why nowhere, in words.
    """

    service: Service
    endpoint: Endpoint
    members: Members
    jobs: Jobs
    receiver: Receiver | None = None
    address: str = ""
    why: str = "server.xray_address is off"

    def routes(self) -> list[Route]:
        """Return the routes of the API."""
        return self.endpoint.routes()

    def in_group(self, ask: AskOfGroup) -> Ask:
        """Return a question about spans that understands `group=NAME`."""

        def asked(connection: Connection, params: Mapping[str, str]) -> Any:
            return ask(connection, params, self.members.of)

        return asked

    def receive(self, sockets: Sockets) -> None:
        """Begin to take datagrams."""
        self.address, self.why = sockets.address, ""
        service = self.service
        self.receiver = Receiver(
            sockets.udp, service.writer, service.services, lambda: self.jobs.disk_full
        )
        self.receiver.start()

    def metrics_text(self) -> bytes:
        """Return what was counted, for /metrics."""
        told, receiver, calls = self.service.telemetry, self.receiver, self.endpoint
        families = [
            Counted("calls_refused", "Calls of the API refused.", "code", calls.refused),
            Counted("documents_refused", "Documents refused.", "reason", calls.unprocessed),
            Counted("reported_segments", "Segments of daemons.", "outcome", told.segments),
            Counted("reported_errors", "Failures of daemons.", "cause", told.errors),
        ]
        if receiver is not None:
            dropped = {"": receiver.overflowed}
            families += [
                Counted("datagrams", "Datagrams by their content.", "form", receiver.received),
                Counted("rejected", "What was not kept.", "reason", receiver.rejected),
                Counted("overflowed", "Datagrams dropped by the kernel.", "", dropped),
            ]
        return metrics_text(families)

    def stop(self) -> None:
        """Take no more datagrams, and store what came; the writer is closed after."""
        if self.receiver is not None:
            self.receiver.close()

    def close(self) -> None:
        """Close the metadata; the writer is closed before."""
        self.service.catalog.close()


def build_xray(
    options: ServerOptions, store: EmbeddedStore, writer: Writer, jobs: Jobs, aws: AwsHouse
) -> XrayHouse:
    """Open the metadata and set up everything that stands on it.

    Args:
        options: The directory.
        store: The spans.
        writer: Where spans are put.
        jobs: Watches the disk.
        aws: Reads bodies, and has the key of the tokens.
    """
    service = Service(
        store=store,
        writer=writer,
        catalog=Catalog(options.data_dir),
        tokens=Tokens(aws.catalog.key),
        clients=Clients(),
        telemetry=Telemetry(),
        services=Services(),
    )
    return XrayHouse(
        service=service,
        endpoint=Endpoint(service, aws.endpoint.body),
        members=Members(service.catalog),
        jobs=jobs,
    )
