"""Whatever is sent to a route is answered as the document says, and nothing is written for who was refused."""

from __future__ import annotations

import json
import sqlite3
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.parts.stack import KEY
from tests.web.contract_reader import ContractReader
from tests.web.schema_values import SchemaValues
from tests.web.site import ADMIN_KEY, APP_KEY, Site
from tests.web.test_openapi_answers import NEEDS_A_SERVER
from web.contract.openapi import routes

_IS_LONG = settings.get_current_profile_name() == "fuzz"
_TOLD_OF = {401, 429}
"""Refusals that operators are told of: an event each."""
_WAITING = {"wait"}
"""Parameters that would hold the test up."""
_KEYS = [*[ADMIN_KEY] * 10, KEY, APP_KEY, "wrong", None]
"""Whoever is refused at the door tries nothing behind it."""
_MEDIA = ["application/json", "application/json; charset=utf-8", "application/x-ndjson", "text/plain", ""]


class Target(NamedTuple):
    """A site, its document, and how to see whether something was written."""

    site: Site
    contract: ContractReader
    values: SchemaValues
    database: sqlite3.Connection

    def state(self) -> tuple[Any, ...]:
        """Another one when something was written to the database or to the log."""
        return (*self.database.execute("PRAGMA data_version").fetchone(), self.site.bus.clock())


@pytest.fixture(scope="module")
def target(site: Site) -> Any:
    """The site, with a session in which there is something."""
    contract = ContractReader(site.get("/api/v1/openapi.json").json)
    database = sqlite3.connect(site.settings.database_url.removeprefix("sqlite:///"))
    site.say("some-session")
    site.emit("some-session", 3)
    yield Target(site, contract, SchemaValues(contract.document["components"]["schemas"]), database)
    database.close()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _query(data: st.DataObject, values: SchemaValues, operation: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in operation["parameters"]:
        if one["in"] == "query" and one["name"] not in _WAITING and data.draw(st.booleans()):
            value = data.draw(values.near(one["schema"]))
            found[one["name"]] = [_text(item) for item in (value if isinstance(value, list) else [value])]
    return found


def _address(data: st.DataObject, values: SchemaValues, path: str, operation: Any) -> str:
    for one in operation["parameters"]:
        if one["in"] == "path":
            made = st.one_of(st.just("some-session"), values.fitting(one["schema"]), st.text(min_size=1))
            # Behind a slash would begin another route.
            value = data.draw(made.filter(lambda text: text.strip(".") and "/" not in text))
            path = path.replace("{%s}" % one["name"], quote(value, safe=""))  # noqa: UP031
    return path


def _body(data: st.DataObject, values: SchemaValues, operation: Any) -> dict[str, Any]:
    if "requestBody" not in operation:
        return {}
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    if data.draw(st.integers(0, 4)):
        return {"data": json.dumps(data.draw(values.near(schema))), "content_type": "application/json"}
    return {"data": data.draw(st.binary(max_size=60)), "content_type": data.draw(st.sampled_from(_MEDIA))}


@settings(
    max_examples=10_000 if _IS_LONG else 250,
    derandomize=not _IS_LONG,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_nothing_is_an_error_of_the_server_and_nothing_refused_is_written(target: Target, data: st.DataObject) -> None:
    """Without this a strange request would end in an error, or leave something behind although it was refused."""
    known = [one for one in routes(target.site.app) if one[2].endpoint not in NEEDS_A_SERVER]
    path, method, _ = data.draw(st.sampled_from(known))
    operation = target.contract.document["paths"][path][method]
    key = data.draw(st.sampled_from(_KEYS))
    address = _address(data, target.values, path, operation)
    query, body = _query(data, target.values, operation), _body(data, target.values, operation)
    before = target.state()
    reply = target.site.ask(method.upper(), address, key, query_string=query, **body)
    target.contract.check(path, method, reply)
    assert reply.status_code < 500
    if reply.status_code >= 400 and reply.status_code not in _TOLD_OF:
        assert target.state() == before, (method, address, reply.status_code, reply.text)
