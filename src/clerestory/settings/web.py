"""The settings of requests that a program answers.

[web] -> table
"""

from typing import Final

from clerestory.settings.setting import Setting

WEB: Final = (
    Setting(
        key="web.capture",
        default=False,
        kind="boolean",
        help="Make one record and one server span of each request that Flask, Starlette, FastAPI, "
        "or a program under gunicorn, uvicorn or Werkzeug answers, without code. "
        "`clerestory run` turns it on.",
    ),
    Setting(
        key="web.records",
        default=True,
        kind="boolean",
        help="Make a record of each request; without, spans and security records alone.",
    ),
    Setting(
        key="web.access_lines",
        default=False,
        kind="boolean",
        help="Keep the access lines of Werkzeug, gunicorn and uvicorn beside our records.",
    ),
    Setting(
        key="web.paths_ignored",
        default=[],
        kind="list",
        items="text",
        help="Paths whose requests make neither record nor span; one that ends with `*` is for all "
        "paths that begin so.",
        example="/health,/static/*",
    ),
    Setting(
        key="web.query",
        default=False,
        kind="boolean",
        help="Record the query of a URL as `url.query`, its secrets masked.",
    ),
    Setting(
        key="web.request_id_header",
        default="X-Request-ID",
        kind="text",
        help="Header that a request's id is taken from and given back in; empty for none.",
    ),
    Setting(
        key="web.trusted_proxies",
        default=[],
        kind="list",
        items="text",
        help="Addresses and networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` "
        "are believed; `unix` for whoever comes through a Unix socket.",
        example="10.0.0.0/8,127.0.0.1",
    ),
    Setting(
        key="web.security_records",
        default=True,
        kind="boolean",
        help="Make a record in the logger `clerestory.security` of each request that is answered "
        "401, 403 or 429, and of clients that fail often.",
    ),
    Setting(
        key="web.failures_per_minute",
        default=20,
        kind="integer",
        low=0,
        help="So many answers 400 to 499 to one client within a minute make a security record; "
        "0 is never.",
    ),
)
