"""The block that is printed once everything runs."""

from __future__ import annotations

import shlex

from pipeline.settings import Settings
from web.up.readiness import reachable_host

_QUESTION = '{"message": "How do I choose another port?"}'


def banner(settings: Settings, given: Settings) -> str:
    """Addresses, keys and a line to try.

    `given`: the settings before Spanfeed's own secrets were filled in. A secret that its owner chose is
    named, not shown: terminals are recorded.
    """
    page = f"http://{reachable_host(settings)}:{settings.port}"
    password = "SPANFEED_FLOWER_PASSWORD" if given.flower_password else settings.flower_password
    key = "as in SPANFEED_API_KEY" if given.api_key else settings.api_key
    header = '"X-API-Key: $SPANFEED_API_KEY"' if given.api_key else shlex.quote(f"X-API-Key: {settings.api_key}")
    return f"""\

Spanfeed is running; Ctrl-C ends it.

  Page       {page}/
  Dashboard  {page}/dashboard
  Flower     http://127.0.0.1:{settings.flower_port}/  user {settings.flower_user}, password {password}
  API key    {key}
  Logs       {settings.home_path / "logs"}

  Try it:
  curl {page}/chat/ -H {header} -H 'Content-Type: application/json' -d '{_QUESTION}'
"""
