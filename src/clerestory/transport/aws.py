"""Which AWS endpoint is meant, who calls it, and one signed call.

    destination -> [aws] -> sigv4 -> exchange ~~> AWS

Nothing is looked up before the first call, which a courier's thread makes: reading a profile or
asking the metadata service of the machine never delays the program.

Invariant: whatever is missing - region, credentials, botocore - is a HoldError that says what to
do; no record is lost because of it.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from clerestory.model.errors import HoldError
from clerestory.transport.exchange import Exchange
from clerestory.transport.sigv4 import Credentials, Scope, Signer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from clerestory.transport.exchange import Answer

_REGION_VARIABLES: Final = ("AWS_REGION", "AWS_DEFAULT_REGION")
_SUFFIXES: Final = (
    ("cn-", "amazonaws.com.cn"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("eusc-", "amazonaws.eu"),
)
_DEFAULT_REGION: Final = "us-east-1"
_EXPIRED: Final = frozenset(("ExpiredToken", "ExpiredTokenException", "RequestExpired"))
_TRUE: Final = frozenset(("1", "true", "yes"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsOptions:
    """What a program says about AWS; the environment and the AWS files say the rest.

    Attributes:
        region: Such as `eu-central-1`.
        endpoint_url: In place of AWS's own address.
        profile: Of the shared AWS files.
        access_key: Explicit credentials.
        secret_key: See `access_key`.
        token: Of temporary explicit credentials.
        credentials: In place of all these, what has boto3's `get_frozen_credentials()`.
        timeout_s: How long an answer may take, in seconds.
        connect_timeout_s: How long connecting may take, in seconds.
        compress: Whether bodies travel as gzip.
    """

    region: str = ""
    endpoint_url: str = ""
    profile: str = ""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    credentials: Any = field(default=None, repr=False)
    timeout_s: float = 10.0
    connect_timeout_s: float = 3.0
    compress: bool = True

    @classmethod
    def of(cls, config: Any, *, compress: bool) -> AwsOptions:
        """Return what the options of a destination say.

        Args:
            config: Has boto3's names: `region`, `endpoint_url`, `aws_access_key_id` and such.
            compress: See above.
        """
        return cls(
            region=config.region or "",
            endpoint_url=config.endpoint_url or "",
            profile=config.profile or "",
            access_key=config.aws_access_key_id or "",
            secret_key=config.aws_secret_access_key or "",
            token=config.aws_session_token or "",
            credentials=config.credentials,
            timeout_s=config.timeout,
            connect_timeout_s=config.connect_timeout,
            compress=compress,
        )


def endpoint_of(service: str, region: str, environment: Mapping[str, str] | None = None) -> str:
    """Return the address of a service in a region, in whatever partition it lies.

    >>> endpoint_of("logs", "eu-central-1", {})
    'https://logs.eu-central-1.amazonaws.com'
    >>> endpoint_of("logs", "cn-north-1", {})
    'https://logs.cn-north-1.amazonaws.com.cn'
    """
    found = os.environ if environment is None else environment
    fips = found.get("AWS_USE_FIPS_ENDPOINT", "").lower() in _TRUE
    suffix = next((name for start, name in _SUFFIXES if region.startswith(start)), "amazonaws.com")
    return f"https://{service}{'-fips' if fips else ''}.{region}.{suffix}"


def configured_endpoint(variable: str, environment: Mapping[str, str] | None = None) -> str:
    """Return the address that AWS's own variables name, empty if they name none.

    >>> configured_endpoint("CLOUDWATCH_LOGS", {"AWS_ENDPOINT_URL": "http://127.0.0.1:4318"})
    'http://127.0.0.1:4318'
    """
    found = os.environ if environment is None else environment
    if found.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() in _TRUE:
        return ""
    return found.get(f"AWS_ENDPOINT_URL_{variable}") or found.get("AWS_ENDPOINT_URL", "")


def region_in(url: str) -> str:
    """Return the region that the address of an AWS endpoint names, empty if it names none.

    >>> region_in("https://logs.eu-central-1.amazonaws.com"), region_in("http://127.0.0.1:4318")
    ('eu-central-1', '')
    """
    labels = (urlsplit(url).hostname or "").split(".")
    return next((text for text in labels if text.count("-") >= 2 and text[-1].isdigit()), "")


def error_code(answer: Answer) -> str:
    """Return AWS's name for what went wrong, empty if the answer does not say.

    It stands in `__type`, with or without a namespace before `#`, or in a header.
    """
    try:
        content = json.loads(answer.body)
    except ValueError:
        content = {}
    given = content.get("__type", "") if isinstance(content, dict) else ""
    text = str(given) or answer.headers.get("x-amzn-errortype", "")
    return text.rpartition("#")[2].partition(":")[0]


class CredentialChain:
    """Finds credentials as AWS's own tools do.

    Explicit ones, those of the environment, and then, with botocore, those of the shared files
    and of the container's or machine's role. botocore renews temporary ones well before they
    expire.
    """

    def __init__(self, options: AwsOptions) -> None:
        self._options = options
        self._found: Any = None

    def __call__(self) -> Credentials:
        """Return the credentials in force.

        Raises:
            HoldError: There are none.
        """
        options = self._options
        if options.credentials is not None:
            return self._renewed(lambda: options.credentials)
        if options.access_key:
            return _whole(options.access_key, options.secret_key, options.token, "the options")
        variables = os.environ
        if not options.profile and variables.get("AWS_ACCESS_KEY_ID"):
            return _whole(
                variables["AWS_ACCESS_KEY_ID"],
                variables.get("AWS_SECRET_ACCESS_KEY", ""),
                variables.get("AWS_SESSION_TOKEN") or variables.get("AWS_SECURITY_TOKEN", ""),
                "the environment",
            )
        return self._from_botocore()

    def forget(self) -> None:
        """Look again at the next call."""
        self._found = None

    def _from_botocore(self) -> Credentials:
        session = botocore_session(self._options.profile)

        def found() -> Any:
            if self._found is None:
                self._found = session().get_credentials()
            return self._found

        return self._renewed(found)

    @staticmethod
    def _renewed(found: Callable[[], Any]) -> Credentials:
        try:
            holder = found()
            frozen = None if holder is None else holder.get_frozen_credentials()
        except Exception as error:  # a plugin's wall: files, processes and services of any kind
            raise HoldError(
                f"the AWS credentials cannot be read or renewed: {type(error).__name__}: {error}; "
                "check ~/.aws, AWS_PROFILE and the role of this machine"
            ) from error
        if frozen is None or not frozen.access_key:
            raise HoldError(
                "no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
                "name a profile, or give this machine a role"
            )
        return Credentials(
            access_key=frozen.access_key,
            secret_key=frozen.secret_key or "",
            token=frozen.token or "",
        )


def _whole(access_key: str, secret_key: str, token: str, where: str) -> Credentials:
    if not secret_key:
        raise HoldError(
            f"{where} give an AWS access key without its secret key: "
            "give aws_secret_access_key or AWS_SECRET_ACCESS_KEY too"
        )
    return Credentials(access_key=access_key, secret_key=secret_key, token=token)


def botocore_session(profile: str) -> Callable[[], Any]:
    """Return what opens a botocore session.

    Raises:
        HoldError: botocore is not installed.
    """
    try:
        from botocore.session import Session
    except ImportError as error:
        raise HoldError(
            "AWS profiles and roles are read by botocore, which is not installed: "
            "pip install 'clerestory[aws]', or set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY "
            "and AWS_REGION"
        ) from error
    return lambda: Session(profile=profile or None)


def named_region(options: AwsOptions, url: str = "") -> str:
    """Return the region that is given, in the environment or in an address; empty for none."""
    named = next((os.environ[name] for name in _REGION_VARIABLES if os.environ.get(name)), "")
    return options.region or ("" if options.profile else named) or region_in(url)


def find_region(options: AwsOptions, endpoint_url: str = "") -> str:
    """Return the region: given, in the environment, in the address, the profile or the machine.

    Raises:
        HoldError: Nothing says which.
    """
    named = next((os.environ[name] for name in _REGION_VARIABLES if os.environ.get(name)), "")
    found = named_region(options, endpoint_url)
    if found:
        return found
    try:
        found = _botocore_region(options.profile)
    except HoldError:
        if not (named or endpoint_url):
            raise
    # An address of our own needs a region only to sign with.
    found = found or named or (_DEFAULT_REGION if endpoint_url else "")
    if not found:
        raise HoldError(
            "no AWS region is known: give region, or set AWS_REGION, such as eu-central-1"
        )
    return found


def _botocore_region(profile: str) -> str:
    session = botocore_session(profile)
    try:
        opened = session()
        found = opened.get_config_variable("region")
        if not found and not profile:
            from botocore.utils import IMDSRegionProvider

            found = IMDSRegionProvider(opened).provide()
    except Exception as error:  # a plugin's wall: files and services of any kind
        raise HoldError(
            f"the AWS region cannot be read: {type(error).__name__}: {error}; "
            "give region, or set AWS_REGION"
        ) from error
    return str(found or "")


class SignedExchange:
    """An exchange whose requests are signed.

    Args:
        exchange: The connection.
        scope: What signatures are good for.
        credentials: Who signs.

    Attributes:
        exchange: See above.
        region: That signatures are good for.
    """

    def __init__(self, exchange: Exchange, scope: Scope, credentials: CredentialChain) -> None:
        self.exchange = exchange
        self.region = scope.region
        self._signer = Signer(scope, credentials)
        self._credentials = credentials

    def send(
        self,
        body: bytes | Sequence[bytes],
        *,
        target: str = "",
        headers: Mapping[str, str] | None = None,
        meanwhile: Callable[[], None] | None = None,
    ) -> Answer:
        """Send one request and return its answer, whatever its status; see `Exchange.send`.

        A signature that the receiver's clock disagrees with, and one of expired credentials, are
        made again once.

        Raises:
            RetryError: No whole answer came.
            HoldError: There are no credentials.
        """
        send, signer = self.exchange.send, self._signer
        answer = send(body, target=target, headers=headers, sign=signer, meanwhile=meanwhile)
        if answer.status < 400:
            return answer
        if signer.learns_from(answer) or self._renews(answer):
            answer = send(body, target=target, headers=headers, sign=signer)
        return answer

    def _renews(self, answer: Answer) -> bool:
        if error_code(answer) not in _EXPIRED:
            return False
        self._credentials.forget()
        return True


class AwsService:
    """Signed JSON calls of one AWS service.

    Args:
        service: AWS's short name of it, which signatures and addresses bear.
        variable: How `AWS_ENDPOINT_URL_...` names it.
        options: Where and who.
    """

    def __init__(self, service: str, variable: str, options: AwsOptions) -> None:
        self._service = service
        self._variable = variable
        self._options = options
        self._credentials = CredentialChain(options)
        self._lock = threading.Lock()
        self._ready: SignedExchange | None = None

    @property
    def region(self) -> str:
        """The region in force, `*` before the first call."""
        return self._ready.region if self._ready else self._options.region or "*"

    def call(
        self,
        target: str,
        body: bytes | Sequence[bytes],
        content_type: str,
        meanwhile: Callable[[], None] | None = None,
        *,
        path: str = "",
        more: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and return its answer, whatever its status; see `SignedExchange`.

        Args:
            target: Value of `X-Amz-Target`; empty where the path says what is called.
            body: As the service wants it, perhaps in parts.
            content_type: As the service wants it.
            meanwhile: Called while the answer is awaited, at most once.
            path: Added to that of the address.
            more: Further headers.

        Raises:
            RetryError: No whole answer came.
            HoldError: There is no region, or there are no credentials.
        """
        headers = {**(more or {}), "Content-Type": content_type}
        if target:
            headers["X-Amz-Target"] = target
        return self._prepared().send(body, target=path, headers=headers, meanwhile=meanwhile)

    @property
    def exchange(self) -> Exchange:
        """The connection.

        Raises:
            HoldError: There is no region.
        """
        return self._prepared().exchange

    def _prepared(self) -> SignedExchange:
        with self._lock:
            if self._ready is None:
                self._ready = self._prepare()
            return self._ready

    def _prepare(self) -> SignedExchange:
        options = self._options
        url = options.endpoint_url or configured_endpoint(self._variable)
        region = find_region(options, url)
        exchange = Exchange(
            url or endpoint_of(self._service, region),
            timeout_s=options.timeout_s,
            connect_timeout_s=options.connect_timeout_s,
            ca_file=os.environ.get("AWS_CA_BUNDLE", ""),
            compress=options.compress,
        )
        scope = Scope(region=region, service=self._service)
        return SignedExchange(exchange, scope, self._credentials)

    def close(self) -> None:
        """Close the connection."""
        if self._ready is not None:
            self._ready.exchange.close()
