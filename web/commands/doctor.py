"""`spanfeed doctor`: what is wrong with this installation, and how to mend it."""

from __future__ import annotations

import dataclasses
import json
import sys

import click

from pipeline import settings as settings_table
from pipeline.errors import SettingError


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object instead of lines.")
@click.option("--security", is_flag=True, help="Look at what makes this installation safe or unsafe instead.")
def doctor(as_json: bool, security: bool) -> None:
    """Say what is wrong, one line each with the mend; status 1 when something does not work."""
    # Here, since it loads Celery and the document index, which nothing else under this door needs.
    from web.doctor.examination import examine, examine_security
    from web.doctor.lines import Level, fault

    try:
        settings = settings_table.load()
    except SettingError as error:
        settings = settings_table.Settings()
        lines = [fault("settings", str(error), "correct that setting")]
    else:
        lines = examine_security(settings) if security else examine(settings)
    hide = settings.hide_secrets
    lines = [dataclasses.replace(line, found=hide(line.found), mend=hide(line.mend)) for line in lines]
    worst = max((line.level for line in lines), key=list(Level).index)
    if as_json:
        checks = [dataclasses.asdict(line) for line in lines]
        click.echo(json.dumps({"status": worst, "checks": checks}, ensure_ascii=False))
    else:
        for line in lines:
            mend = f" → {line.mend}" if line.mend else ""
            click.echo(f"{line.level:<8} {line.name}: {line.found}{mend}")
    sys.exit(1 if worst is Level.FAULT else 0)
