"""The settings of a run's processes."""

from __future__ import annotations

from pathlib import Path

from tests.faults.options import BREAKS, KEY, LEASE_SECONDS, PLACES
from tests.stand_in import StandIn

_SETTINGS = {
    "SPANFEED_API_KEY": KEY,
    "SPANFEED_SECRET_KEY": "a secret that is long enough for a run of faults",
    "SPANFEED_WORKER_PROCESSES": "2",
    "SPANFEED_MESSAGES_PER_MINUTE": "1000000",
    "SPANFEED_REQUESTS_PER_MINUTE": "1000000",
    # An outage holds many messages of a session up; the load goes on all the same.
    "SPANFEED_MESSAGES_IN_FLIGHT_LIMIT": "1000000",
    "SPANFEED_FEED_SOCKETS_LIMIT": "150",
    "SPANFEED_WEB_THREADS": "192",
    "SPANFEED_EMIT_DEADLINE_MS": "1000",
    "SPANFEED_LEASE_SECONDS": str(LEASE_SECONDS),
    "SPANFEED_LEASE_RENEW_SECONDS": "0.4",
    "SPANFEED_QUEUE_GRACE_SECONDS": "1",
    "SPANFEED_STAGE_SOFT_TIME_LIMIT_SECONDS": "20",
    "SPANFEED_STAGE_TIME_LIMIT_SECONDS": "25",
    "SPANFEED_ANSWER_DEADLINE_SECONDS": "20",
    "SPANFEED_LLM_STALL_TIMEOUT_SECONDS": "2",
    "SPANFEED_FEED_SEND_TIMEOUT_SECONDS": "3",
    # Clocks jump by an hour: what may still be asked for must be remembered for longer.
    "SPANFEED_EMITTER_KEY_TTL_SECONDS": "10800",
    "SPANFEED_RUN_TTL_SECONDS": "10800",
    "OPENAI_API_KEY": "sk-test",
    "LOG_LEVEL": "INFO",
}


def environment_of(
    home: Path, points: Path, redis_port: int, database_url: str, model: StandIn, breaks: str
) -> dict[str, str]:
    """The environment variables of every process; each failpoint is armed while its file in `points` is missing."""
    armed = [f"{place}=kill@{points / place}" for place in PLACES]
    return {
        **_SETTINGS,
        "SPANFEED_HOME": str(home),
        "REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
        "DATABASE_URL": database_url,
        "OPENAI_BASE_URL": model.base_url,
        "OPENAI_MODEL": model.model,
        "SPANFEED_FAILPOINTS": ",".join([*armed, *filter(None, [BREAKS.get(breaks, "")])]),
        # Small batches, so that more waits behind the one that is stored than a log trimmed by its length keeps.
        **({"SPANFEED_RECORDER_BATCH_LIMIT_EVENTS": "40"} if breaks == "trim-by-length" else {}),
    }
