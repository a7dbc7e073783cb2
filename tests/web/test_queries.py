"""The query of the event routes: what is read, and what is refused with a word about why."""

from __future__ import annotations

import datetime
from urllib.parse import quote

import pytest

from tests.web.site import Site, assert_problem

ARABIC_TEN = "\u0661\u0660"
HUGE = "9" * 5_000

BAD = [
    *(("limit", value) for value in ("0", "-1", "501", "abc", "1_000", "1e9", "+5", " 5", "5.0", "", ARABIC_TEN, HUGE)),
    *(("after", value) for value in ("abc", "-1", "1.5", "99999999999999999999", "9007199254740992", "", " 1", HUGE)),
    *(("after", value) for value in (ARABIC_TEN, "1_0", "0x10", "1e3", "\x00", "1;2")),
    *(("since", value) for value in ("yesterday", "", "2026-13-01T00:00:00Z", "2026-11-22T25:00:00Z", "1700000000")),
    *(("since", value) for value in ("2026-11-22T10:00:00 0x:00", "\x00", "0001-01-01T00:00:00+10:00", HUGE, "’")),
    *(("event_status", value) for value in ("bogus", "", "STARTED", "started,failed", "' OR 1=1--")),
    *(("category", value) for value in ("bogus", "Workflow", "*")),
    *(("priority", value) for value in ("bogus", "urgent", "1")),
    *(("event_type", value) for value in ("' OR 1=1--", "", "a b", "a%", "é", "x" * 101, "a\nb")),
]


def _name(case: tuple[str, str]) -> str:
    return f"{case[0]}={case[1][:30]!a}"


@pytest.mark.parametrize("case", BAD, ids=_name)
def test_garbage_is_refused_and_named(site: Site, case: tuple[str, str]) -> None:
    """A client with a mistake would get other events than it asked for, and not notice."""
    name, value = case
    detail = assert_problem(site.get("/chat/events/s", query_string={name: value}), 422)
    assert detail[0]["loc"] == ["query", name]
    assert len(str(detail[0]["input"])) <= 100


@pytest.mark.parametrize("value", ["0", "-1", "51", "abc", "1_0", "", ARABIC_TEN, HUGE])
def test_a_count_out_of_range_is_refused(site: Site, value: str) -> None:
    """A client with a mistake would get ten events instead of an error."""
    detail = assert_problem(site.get("/chat/events/s/latest", query_string={"count": value}), 422)
    assert detail[0]["loc"] == ["query", "count"]


@pytest.mark.parametrize("session", ["x" * 65, "a b", "a*", "..", "a..b", "a%0Ab", "a%00", "%C3%A9", "a%2Fb", "{}"])
@pytest.mark.parametrize("path", ["/chat/events/{}", "/chat/events/{}/latest", "/chat/{}"])
def test_a_session_that_cannot_be_is_refused(site: Site, session: str, path: str) -> None:
    """What a stranger makes up would end up in the names of keys."""
    reply = site.get(path.replace("{}", session))
    assert reply.status_code in {404, 422}
    assert_problem(reply, reply.status_code)


@pytest.mark.parametrize("session", ["a", "x" * 64, "user@example.org", "a.b_c:d-e"])
def test_the_seeds_session_names_are_accepted(site: Site, session: str) -> None:
    """A client that names its sessions in its own way would be shut out."""
    assert site.get(f"/chat/events/{session}").status_code == 200


def test_after_and_since_together_are_refused(site: Site) -> None:
    """A client that gives two cursors would not know which one counted."""
    query = {"after": "1", "since": "2026-11-22T10:00:00Z"}
    assert_problem(site.get("/chat/events/s", query_string=query), 422, "two_cursors")


def test_unknown_parameters_change_nothing(site: Site, session_id: str) -> None:
    """A client that adds a parameter against caches would be refused."""
    site.emit(session_id, 3)
    plain, odd = site.page(session_id), site.page(session_id, _="17", nonsense="*", type="x")
    assert plain["events"] == odd["events"]


def test_too_many_filters_are_refused(site: Site) -> None:
    """One request could make the database search for thousands of patterns."""
    query = {"event_type": [f"type_{number}" for number in range(100)]}
    assert_problem(site.get("/chat/events/s", query_string=query), 422)


def _spellings(moment: datetime.datetime) -> dict[str, str]:
    offset = moment.astimezone(datetime.timezone(datetime.timedelta(hours=5, minutes=30)))
    behind = moment.astimezone(datetime.timezone(datetime.timedelta(hours=-8)))
    plain = moment.strftime("%Y-%m-%dT%H:%M:%S.%f")
    return {
        "Z": quote(f"{plain}Z"),
        "naive": quote(plain),
        "naive with a space": quote(plain.replace("T", " ")),
        "offset": quote(offset.isoformat()),
        "offset behind": quote(behind.isoformat()),
        "unescaped plus": offset.isoformat(),
        "unescaped plus of UTC": f"{plain}+00:00",
        "plus without a colon": f"{plain}+0000",
        "milliseconds": quote(plain[:-3] + "Z"),
    }


@pytest.mark.parametrize("spelling", _spellings(datetime.datetime.now(datetime.UTC)))
def test_a_time_may_be_spelled_in_every_way_of_the_seed(site: Site, session_id: str, spelling: str) -> None:
    """A poller of the first seed, which sends its plus unescaped, would get an error or the wrong events."""
    site.emit(session_id)
    first = site.page(session_id)["events"][0]
    moment = datetime.datetime.fromisoformat(first["timestamp"])
    if spelling == "milliseconds":
        moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000) - datetime.timedelta(milliseconds=1)
    later = site.emit(session_id, 2)
    address = f"/chat/events/{session_id}?since={_spellings(moment)[spelling]}"
    reply = site.get(address)
    assert reply.status_code == 200, reply.text
    expected = ([first["id"]] if spelling == "milliseconds" else []) + later
    assert [event["id"] for event in reply.json["events"]] == expected  # type: ignore[index]


def test_an_events_own_timestamp_is_a_cursor(site: Site, session_id: str) -> None:
    """A poller that goes on from the last timestamp would see that event again, or miss the next."""
    ids = site.emit(session_id, 5)
    for place, event in enumerate(site.page(session_id)["events"]):
        assert site.ids(session_id, since=event["timestamp"]) == ids[place + 1 :]


@pytest.mark.parametrize("since", ["9999-12-31T23:59:59Z", "2100-01-01", "1969-12-31T23:59:59Z", "0001-01-01"])
def test_the_ends_of_time_are_answered(site: Site, session_id: str, since: str) -> None:
    """A client with a broken clock would bring the server to its knees."""
    ids = site.emit(session_id, 2)
    assert site.ids(session_id, since=since) == ([] if since > "2050" else ids)


@pytest.mark.parametrize("since", ["9999-12-31T23:59:59Z", "soon"])
def test_the_cursor_of_an_empty_page_can_be_given_back(site: Site, session_id: str, since: str) -> None:
    """A poller whose clock is a minute ahead would be told to forget everything, or be refused, at its second poll."""
    site.emit(session_id, 2)
    if since == "soon":
        soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1)
        since = soon.strftime("%Y-%m-%dT%H:%M:%SZ")
    page = site.page(session_id, since=since)
    assert page["events"] == []
    if page["next_after"] is not None:
        again = site.get(f"/chat/events/{session_id}", query_string={"after": page["next_after"]})
        assert again.status_code == 200, again.text
        assert "reset" not in (again.json or {})
