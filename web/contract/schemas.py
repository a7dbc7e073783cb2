"""The schemas by their names: of bodies from the models that check them, of replies as they are written down."""

from __future__ import annotations

from pydantic import BaseModel

from pipeline.alerting.rules import AlertRule
from web import schemas
from web.blueprints.alerts import NewSilence
from web.contract import operator_replies, replies
from web.contract.shapes import SESSION_ID, Schema, many, one_of, ref, thing
from web.custom_events import CustomEvent
from web.event_types import Definition
from web.policy import OF_A_KEY
from web.subscriptions import Wanted

BODIES: dict[str, type[BaseModel]] = {
    "ChatRequest": schemas.ChatRequest,
    "NewFeedback": schemas.NewFeedback,
    "NewKey": schemas.NewKey,
    "Rotation": schemas.Rotation,
    "Login": schemas.Login,
    "ForUser": schemas.ForUser,
    "TestEvent": schemas.TestEvent,
    "NewEvent": CustomEvent,
    "EventTypeDefinition": Definition,
    "SubscriptionWanted": Wanted,
    "AlertRule": AlertRule,
    "NewSilence": NewSilence,
}
"""What clients send, by the model that it is checked with."""

_TYPE = {"pattern": "^[A-Za-z0-9._-]{1,100}$"}
_SESSION = {"pattern": SESSION_ID["pattern"]}
_LOOKED_AT_LATER: dict[str, dict[str, Schema]] = {
    "ChatRequest": {"session_id": _SESSION},
    "NewKey": {"scopes": {"items": one_of(OF_A_KEY), "minItems": 1}},
    "NewEvent": {"event_type": _TYPE, "session_id": _SESSION},
    "EventTypeDefinition": {"event_type": _TYPE},
    "SubscriptionWanted": {"session_id": _SESSION},
}
"""What of a field is checked by a function, which a model's own schema does not tell."""


def all_schemas() -> dict[str, Schema]:
    """Every schema that the document names."""
    made: dict[str, Schema] = {}
    for name, model in BODIES.items():
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        # Those that several models share stand once, beside them.
        made |= schema.pop("$defs", {})
        for field, more in _LOOKED_AT_LATER.get(name, {}).items():
            schema["properties"][field] |= more
        made[name] = schema
    made["NewEvent"] = _with_second_names(made["NewEvent"])
    for shapes in (replies, operator_replies):
        found = {name: schema for name, schema in vars(shapes).items() if _is_reply(name, schema)}
        made |= {name.title().replace("_", ""): schema for name, schema in found.items()}
    made["NewEvents"] = {"anyOf": [ref("NewEvent"), many(ref("NewEvent")), thing(events=many(ref("NewEvent")))]}
    made["Lines"] = {"type": "string", "description": "An event as JSON in each line."}
    made["AlertRuleShown"] = _alert_rule_shown()
    return made


def _is_reply(name: str, schema: object) -> bool:
    return name.isupper() and not name.startswith("_") and isinstance(schema, dict) and "properties" in schema


def _with_second_names(schema: Schema) -> Schema:
    """The two fields of an event that have a second name, which a model's own schema does not tell."""
    found = dict(schema["properties"])
    properties = {**found, "type": found["event_type"], "unified_event_id": found["id"]}
    made = {name: value for name, value in schema.items() if name != "required"}
    either = [{"required": [name]} for name in ("event_type", "type")]
    return {**made, "properties": properties, "anyOf": either}


def _alert_rule_shown() -> Schema:
    schema = AlertRule.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    del schema["$defs"]
    told = {"source": one_of(["file", "stored"]), "state": one_of(["ok", "pending", "firing"])}
    properties = {**schema["properties"], **told}
    return {**schema, "title": "AlertRuleShown", "properties": properties, "required": list(properties)}
