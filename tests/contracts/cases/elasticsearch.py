"""The destination `elasticsearch` under the contract."""

from clerestory.destinations.services.elasticsearch import Elasticsearch, ElasticsearchConfig
from tests.contracts.case import Case
from tests.doubles.elasticsearch import ElasticsearchReceiver

CASE = Case(
    name="elasticsearch",
    receiver=ElasticsearchReceiver,
    destination=lambda receiver, timeout=5.0: Elasticsearch(
        ElasticsearchConfig(url=receiver.url, api_key="s3cr3t-key", timeout=timeout)
    ),
    poison={"message": "poison"},
    idempotent=True,
    secrets=("s3cr3t-key",),
    messages=lambda receiver: [one["message"] for one in receiver.documents.values()],
)
