"""The destination `cloudwatch` under the contract."""

from clerestory.destinations.services.cloudwatch import CloudWatch, CloudWatchConfig
from tests.contracts.case import Case
from tests.doubles.cloudwatch import KEY, SECRET, CloudWatchLogs, error


def receiver():
    double = CloudWatchLogs()
    double.poison = '"poison":true'
    return double


CASE = Case(
    name="cloudwatch",
    receiver=receiver,
    destination=lambda receiver, timeout=5.0: CloudWatch(
        CloudWatchConfig(
            log_group="/contract/shop",
            region="eu-central-1",
            endpoint_url=receiver.url,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            timeout=timeout,
        )
    ),
    denied=error("UnrecognizedClientException", "The security token is invalid."),
    poison={"poison": True},
    secrets=(SECRET,),
    messages=lambda receiver: [record["message"] for record in receiver.records("/contract/shop")],
)
