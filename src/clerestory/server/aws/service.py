"""What the operations work with: the store, the metadata, and the call that is being answered.

endpoint -> [service] -> operations
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clerestory.server.aws.catalog.catalog import Catalog, Group
from clerestory.server.aws.errors import GROUP_MISSING, invalid, missing, unsupported
from clerestory.server.aws.groups import is_own, scope_of
from clerestory.server.aws.names import ACCOUNT, Place
from clerestory.server.aws.protocol.tokens import Tokens
from clerestory.server.store.embedded import EmbeddedStore
from clerestory.server.store.writer import Writer

if TYPE_CHECKING:
    from clerestory.server.aws.events.tails import Tails
    from clerestory.server.aws.queries.kept import Queries


@dataclass(slots=True, kw_only=True)
class Service:
    """Everything that stands behind the API.

    Attributes:
        store: The events.
        writer: Where events are put.
        catalog: The metadata.
        tokens: Gives the tokens of pages.
        queries: Runs queries.
        tails: The live tails that are open.
        retention_days: After these the server deletes every record; 0: never.
    """

    store: EmbeddedStore
    writer: Writer
    catalog: Catalog
    tokens: Tokens
    queries: "Queries"
    tails: "Tails"
    retention_days: int

    def check_readable(self, group: str) -> None:
        """See that a group exists, put or our own.

        Raises:
            AwsError: It does not.
        """
        if not is_own(group):
            self.catalog.group(group)
            return
        sql, parameters = scope_of([group])
        found = self.store.query(
            lambda connection: connection.rows(
                f"SELECT 1 FROM logs WHERE {sql} LIMIT 1",  # noqa: S608 - our own words
                parameters,
            )
        )
        if not found:
            raise missing(GROUP_MISSING)

    def writable(self, group: str) -> Group:
        """Return a group that may be changed.

        Raises:
            AwsError: It does not exist or is a view.
        """
        if is_own(group):
            raise invalid(
                f"{group} is a view of records that programs sent to this server; "
                "it can only be read"
            )
        return self.catalog.group(group)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of an operation.

    Attributes:
        service: What it works with.
        operation: Its name.
        given: Its members, checked against the model.
        place: The region it is signed for.
        request_id: Its id.
    """

    service: Service
    operation: str
    given: dict[str, Any]
    place: Place
    request_id: str

    def refuse(self, *names: str) -> None:
        """Refuse members that this server does not support.

        Raises:
            AwsError: One of them is given.
        """
        for name in names:
            if self.given.get(name) not in (None, False, [], ""):
                raise unsupported(self.operation, name)

    def check_account(self) -> None:
        """See that no other account and no linked account is asked for.

        Raises:
            AwsError: One is.
        """
        self.refuse("includeLinkedAccounts")
        if any(account != ACCOUNT for account in self.given.get("accountIdentifiers", ())):
            raise unsupported(self.operation, "accountIdentifiers")

    def position(self, given: dict[str, Any] | None = None) -> Any:
        """Return where the page that is asked for begins; None for the first.

        Raises:
            AwsError: The token is not one of this request.
        """
        token = self.given.get("nextToken")
        if token is None:
            return None
        asked = self.given if given is None else given
        return self.service.tokens.read(token, self.operation, asked)

    def token(self, position: Any, given: dict[str, Any] | None = None) -> str:
        """Return the token of a position in this request's answer."""
        asked = self.given if given is None else given
        return self.service.tokens.give(position, self.operation, asked)
