"""Alerts, for administrators: rules, the history of what they raised, and silences."""

from __future__ import annotations

import datetime
from typing import Annotated, Any

from flask import Blueprint, Response, request
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from pipeline.alerting.rules import AlertRule, all_rules, rules_of_file
from pipeline.store import alerts
from pipeline.store.alerts import Alert, Silence
from pipeline.store.moments import known_time_text
from pipeline.unified.patterns import is_pattern
from web import query
from web.acts import audit_request
from web.auth import Scope, needs, principal
from web.body import parse, read_json
from web.errors import Problem
from web.extensions import limiter, requests_limit
from web.replies import json_response
from web.schemas import Strict, clean
from web.state import web_state

blueprint = Blueprint("alerts", __name__)
_PATH = "/api/v1/alerts"
_PAGE_LIMIT = 500
_LONGEST_SILENCE_SECONDS = 30 * 86_400


def _pattern(text: str) -> str:
    if not is_pattern(text):
        raise ValueError("is no rule's name and no pattern such as stage-*")
    return text


class NewSilence(Strict):
    """A silence as it is asked for."""

    rule: Annotated[str, AfterValidator(_pattern), StringConstraints(max_length=64)]
    seconds: Annotated[int, Field(ge=1, le=_LONGEST_SILENCE_SECONDS, strict=True)]
    reason: Annotated[str, BeforeValidator(clean), StringConstraints(max_length=200)] = ""


def _rule_json(rule: AlertRule, source: str, standing: dict[str, Alert]) -> dict[str, Any]:
    alert = standing.get(rule.name)
    return {**rule.model_dump(mode="json"), "source": source, "state": "ok" if alert is None else alert.status}


@blueprint.get(f"{_PATH}/rules")
@limiter.limit(requests_limit)
@needs(Scope.ADMIN)
def list_rules() -> Response:
    """All rules, those of the file first, with how they stand."""
    state = web_state()
    rules, standing = all_rules(rules_of_file(state.settings), state.store), alerts.standing(state.store)
    told = [_rule_json(rule, "file", standing) for rule in rules.of_file]
    told += [_rule_json(rule, "stored", standing) for rule in rules.stored]
    return json_response({"rules": told})


@blueprint.post(f"{_PATH}/rules")
@limiter.limit(requests_limit)
@needs(Scope.ADMIN)
def save_rule() -> Response:
    """Keeps a rule: 201, or 200 when it takes the place of one of the same name."""
    state = web_state()
    rule = parse(AlertRule, read_json())
    if any(rule.name == other.name for other in rules_of_file(state.settings)):
        raise Problem(409, "rule_of_the_file", "A rule of this name stands in the file.")
    definition = rule.model_dump(mode="json")
    new = alerts.save_rule(state.store, rule.name, definition, principal().id, state.settings.alert_rules_limit)
    if new is None:
        raise Problem(409, "too_many_rules", "There are too many alert rules already.")
    audit_request(f"alert_rule.{'create' if new else 'update'}", "alert_rule", rule.name)
    return json_response(_rule_json(rule, "stored", alerts.standing(state.store)), 201 if new else 200)


@blueprint.delete(f"{_PATH}/rules/<name>")
@limiter.limit(requests_limit)
@needs(Scope.ADMIN)
def remove_rule(name: str) -> Response:
    """Removes a stored rule; an alert that it has raised is over."""
    if not alerts.remove_rule(web_state().store, name):
        raise Problem(404, "not_found", "There is no such stored rule")
    audit_request("alert_rule.delete", "alert_rule", name)
    return json_response({"message": f"Alert rule {name} removed"})


@blueprint.get(_PATH)
@limiter.limit(requests_limit)
@needs(Scope.ADMIN)
def list_alerts() -> Response:
    """A page of the history, the newest first."""
    asked = query.Pager(alerts.STATUSES, _PAGE_LIMIT)
    page = alerts.page(web_state().store, asked.asked, asked.before, asked.status, request.args.get("rule"))
    return json_response(asked.reply("alerts", page, _alert_json))


def _alert_json(one: Alert) -> dict[str, Any]:
    times = {name: known_time_text(getattr(one, name)) for name in ("since", "fired_at", "resolved_at")}
    plain = "id rule status severity value threshold told".split()
    return {**{name: getattr(one, name) for name in plain}, **times}


@blueprint.get(f"{_PATH}/silences")
@limiter.limit(requests_limit)
@needs(Scope.ADMIN)
def list_silences() -> Response:
    """The silences that are not over."""
    return json_response({"silences": [_silence_json(one) for one in alerts.silences(web_state().store)]})


@blueprint.post(f"{_PATH}/silences")
@limiter.limit(requests_limit)
@needs(Scope.ADMIN)
def make_silence() -> Response:
    """Silences rules for a while: 201."""
    state = web_state()
    body = parse(NewSilence, read_json())
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=body.seconds)
    limit = state.settings.alert_rules_limit
    number = alerts.silence(state.store, body.rule, until, body.reason, principal().id, limit)
    if number is None:
        raise Problem(409, "too_many_silences", "There are too many silences already.")
    audit_request("alert_silence.create", "alert_silence", str(number))
    [made] = [one for one in alerts.silences(state.store) if one.id == number]
    return json_response(_silence_json(made), 201)


@blueprint.delete(f"{_PATH}/silences/<silence_id>")
@limiter.limit(requests_limit)
@needs(Scope.ADMIN)
def end_silence(silence_id: str) -> Response:
    """Ends a silence before its time."""
    known = silence_id.isascii() and silence_id.isdigit() and len(silence_id) < 16
    if not known or not alerts.end_silence(web_state().store, int(silence_id)):
        raise Problem(404, "not_found", "There is no such silence")
    audit_request("alert_silence.delete", "alert_silence", silence_id)
    return json_response({"message": f"Silence {silence_id} ended"})


def _silence_json(one: Silence) -> dict[str, Any]:
    times = {name: known_time_text(getattr(one, name)) for name in ("created_at", "until")}
    return {"id": one.id, "rule": one.rule, "reason": one.reason, "made_by": one.made_by, **times}
