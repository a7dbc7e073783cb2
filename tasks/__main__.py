"""Celery's worker and scheduler for the stages: `python -m tasks worker …`, `python -m tasks beat …`.

The same as `celery -A tasks …`, which would load all of Celery's other commands first, Flower and a shell among them,
at every start and in every child.
"""

from __future__ import annotations

import click
from celery.bin.base import CLIContext
from celery.bin.beat import beat
from celery.bin.worker import worker

from tasks.celery import app


@click.group()
@click.option("--no-color", "-C", envvar="NO_COLOR", is_flag=True, help="Without colours.")
@click.pass_context
def main(context: click.Context, no_color: bool) -> None:
    """Celery's commands that run the stages."""
    context.obj = CLIContext(app=app, no_color=no_color, workdir=None)


main.add_command(worker)
main.add_command(beat)

if __name__ == "__main__":
    main(auto_envvar_prefix="CELERY", prog_name="spanfeed")
