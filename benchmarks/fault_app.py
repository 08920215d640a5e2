"""A web application under gunicorn for faults.py; each request logs one numbered record."""

import os

from fault_case import PEERS

LOG = PEERS[os.environ["FAULT_PEER"]]()


def app(environ, start_response):
    """Log the number that the query string says; answer which worker did."""
    LOG.info(f"id=web:{environ['QUERY_STRING']} served")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
