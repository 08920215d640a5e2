"""What the operations work with: the store, the metadata, and the call that is being answered.

endpoint -> [service] -> operations
"""

from dataclasses import dataclass
from typing import Any

from clerestory.server.aws.errors import AwsError
from clerestory.server.aws.names import REGION
from clerestory.server.aws.protocol.tokens import Tokens
from clerestory.server.store.embedded import EmbeddedStore
from clerestory.server.store.writer import Writer
from clerestory.server.xray.catalog.catalog import Catalog, Group, Rule
from clerestory.server.xray.errors import invalid
from clerestory.server.xray.names import named_by
from clerestory.server.xray.sampling import Clients
from clerestory.server.xray.segments import Services
from clerestory.server.xray.telemetry import Telemetry


@dataclass(slots=True, kw_only=True)
class Service:
    """Everything that stands behind the API.

    Attributes:
        store: The spans.
        writer: Where spans are put.
        catalog: Groups, sampling rules and tags.
        tokens: Gives the tokens of pages.
        clients: The samplers that report.
        telemetry: What daemons report of themselves.
        services: Whose the newest spans are.
    """

    store: EmbeddedStore
    writer: Writer
    catalog: Catalog
    tokens: Tokens
    clients: Clients
    telemetry: Telemetry
    services: Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of an operation.

    Attributes:
        service: What it works with.
        operation: Its name.
        given: Its members, checked against the model.
        region: The region it is signed for.
    """

    service: Service
    operation: str
    given: dict[str, Any]
    region: str = REGION

    def position(self) -> Any:
        """Return where the page that is asked for begins; None for the first.

        Raises:
            AwsError: The token is not one of this request.
        """
        token = self.given.get("NextToken")
        if not token:
            return None
        try:
            return self.service.tokens.read(token, self.operation, self._asked)
        except AwsError as error:
            raise invalid("The specified NextToken is invalid.") from error

    def token(self, position: Any) -> str:
        """Return the token of a position in this request's answer."""
        return self.service.tokens.give(position, self.operation, self._asked)

    @property
    def _asked(self) -> dict[str, Any]:
        return {name: value for name, value in self.given.items() if name != "NextToken"}

    def group(self) -> Group:
        """Return the group that the request names, by name or by ARN.

        Raises:
            AwsError: It names none or two, or there is none of this name.
        """
        return self.service.catalog.group(self._name("Group", "group", self.given))

    def rule(self, given: dict[str, Any]) -> Rule:
        """Return the sampling rule that the members name, by name or by ARN.

        Raises:
            AwsError: They name none or two, or there is none of this name.
        """
        return self.service.catalog.rule(self._name("Rule", "sampling-rule", given))

    def _name(self, what: str, kind: str, given: dict[str, Any]) -> str:
        name, arn = given.get(f"{what}Name"), given.get(f"{what}ARN")
        if (name is None) == (arn is None):
            raise invalid(f"Name the one that is meant by either {what}Name or {what}ARN.")
        if name is not None:
            return str(name)
        found, name = named_by(str(arn))
        if found != kind:
            raise invalid(f"{what}ARN is no ARN of a {kind}: {str(arn)[:200]}")
        return name
