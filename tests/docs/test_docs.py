"""The reference pages say what the code does: nothing less, nothing more."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from pipeline import catalog, catalog_texts
from pipeline import settings as settings_table
from pipeline.event import Status
from pipeline.settings import Settings
from pipeline.store import models
from tests.docs import pages
from web import create_app
from web.cli import main


def _shown(default: Any) -> str:
    if default == "":
        return "(empty)"
    return str(default).lower() if isinstance(default, bool) else str(default)


def test_every_setting_is_in_the_reference_as_it_is() -> None:
    """A user would set what nothing reads, or never learn what can be set."""
    told = {
        pages.names(variables): (default, "" if unit == "-" else unit, help_text)
        for variables, default, unit, help_text in pages.rows(pages.page("reference/settings.md"))
    }
    real = {
        field.metadata["env"]: (_shown(field.default), field.metadata["unit"], field.metadata["help"])
        for field in dataclasses.fields(Settings)
    }
    assert told == real


def _commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for word, below in command.commands.items():
            yield from _commands(below, f"{name} {word}")
    else:
        yield name, command


def test_every_command_is_in_the_reference_with_its_options() -> None:
    """A user would type a command that is not there, or miss one that is."""
    sections = pages.sections(pages.page("reference/commands.md"), 2)
    told = {name: body for name, body in sections.items() if name.startswith("spanfeed ")}
    real = dict(_commands(main, "spanfeed"))
    assert set(told) == set(real)
    for name, command in real.items():
        options = {option for p in command.params if isinstance(p, click.Option) for option in p.opts}
        assert set(re.findall(r"^- `(--[a-z-]+)", told[name], re.MULTILINE)) == options, name
        for argument in (p for p in command.params if isinstance(p, click.Argument)):
            assert argument.human_readable_name in told[name], name
    assert set(re.findall(r"^- `(--[a-z-]+)", sections["spanfeed"], re.MULTILINE)) == {"--version", "--help"}


def test_every_target_of_make_is_in_the_reference() -> None:
    """A user would type a target that is not there, or miss one that is."""
    makefile = (pages.ROOT / "Makefile").read_text(encoding="utf-8")
    real = {f"make {name}" for name in re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)}
    told = {row[0] for row in pages.rows(pages.sections(pages.page("reference/commands.md"), 2)["make"])}
    assert told == real


def test_every_route_is_in_the_reference(tmp_path: Path) -> None:
    """A developer would call what is not there, or miss what is."""
    environment = {
        "SPANFEED_HOME": str(tmp_path),
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "SPANFEED_SECRET_KEY": "s" * 32,
    }
    app = create_app(settings_table.load(environment))
    real = set()
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        methods = {"WS"} if "/ws/" in path else set(rule.methods or ()) - {"HEAD", "OPTIONS"}
        if rule.endpoint != "static":
            real |= {f"{method} {path}" for method in methods}
    assert set(pages.sections(pages.page("reference/http-api.md"), 3)) == real


def test_every_event_type_is_in_the_reference() -> None:
    """A developer would wait for an event that never comes, or be surprised by one."""
    told = {row[0]: row[1:4] for row in pages.rows(pages.sections(pages.page("reference/events.md"), 2)["Types"])}
    real = {
        name: (str(kind.category), str(kind.priority), str(kind.audience)) for name, kind in catalog.CATALOG.items()
    }
    assert told == real


def test_every_sentence_is_in_the_reference_word_for_word() -> None:
    """Somebody who matches sentences would match what is never said."""
    sections = pages.sections(pages.page("reference/events.md"), 2)
    told = {(row[0], row[1]): row[2] for row in pages.rows(sections["Sentences"])}
    real = {
        (name, status): texts["en"]
        for name, statuses in catalog_texts.TEXTS.items()
        for status, texts in statuses.items()
    }
    assert told == real
    assert catalog_texts.RETRY["en"] in sections["Sentences"]
    reasons = {reason: texts["en"] for reason, texts in catalog_texts.REASONS.items()}
    assert {row[0]: row[1] for row in pages.rows(sections["Reasons"])} == reasons
    assert [row[0] for row in pages.rows(sections["Statuses"])] == [str(status) for status in Status]


def test_every_field_and_column_is_in_the_reference() -> None:
    """An auditor would look for a column that is not there, or overlook one."""
    fields = {row[0] for row in pages.rows(pages.sections(pages.page("reference/events.md"), 2)["Fields"])}
    assert fields == set(models.events.columns.keys())
    sections = pages.sections(pages.page("reference/tables.md"), 2)
    assert set(sections) == {*models.metadata.tables, "chat_events", "The document index"}
    for name, table in models.metadata.tables.items():
        told = {column for row in pages.rows(sections[name]) for column in pages.names(row[0])}
        assert told == set(table.columns.keys()), name


def test_the_example_of_an_environment_names_only_settings() -> None:
    """Somebody would set a variable that nothing reads."""
    text = (pages.ROOT / ".env.example").read_text(encoding="utf-8")
    named = set(re.findall(r"^#? ?([A-Z_]+)=", text, re.MULTILINE))
    assert named
    assert named <= {variable for field in dataclasses.fields(Settings) for variable in field.metadata["env"]}


@pytest.mark.parametrize("file", pages.files(), ids=lambda file: str(file.relative_to(pages.ROOT)))
def test_variables_that_are_named_are_settings(file: Path) -> None:
    """A reader of a how-to would set a variable that nothing reads."""
    known = {variable for field in dataclasses.fields(Settings) for variable in field.metadata["env"]}
    named = set(re.findall(r"\b(?:SPANFEED|OPENAI|GOVSTACK|CHROMA)_[A-Z_]+[A-Z]\b", file.read_text(encoding="utf-8")))
    assert {name.removesuffix("_FILE") for name in named} <= known


def test_the_changelog_tells_what_is_not_released() -> None:
    """A user would not learn what an update brings."""
    text = (pages.ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert pages.sections(text, 2)["[Unreleased]"].strip()
