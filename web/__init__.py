"""What happens to a request: the Flask app, the recorder beside it, the commands.

Importing this package loads no Flask: the recorder and the commands live without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from pipeline.settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """The Flask app. Nothing is connected until the first request. Raises SettingError."""
    from web.factory import make_app

    return make_app(settings)
