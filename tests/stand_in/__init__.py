"""A local OpenAI-compatible server that streams, stalls, cuts and fails on command."""

from tests.stand_in.handle import StandIn
from tests.stand_in.script import QUIRKS, Script

__all__ = ["QUIRKS", "Script", "StandIn"]
