"""The model behind the answers: kind 18."""

from __future__ import annotations

import random
import time
from typing import Any

from tests.faults.options import WORDS
from tests.faults.run import Run


def disturb_model(run: Run, rng: random.Random) -> str:
    """Kind 18: the model hangs, fails, stalls, breaks off or asks for patience."""
    words = list(WORDS)
    modes: dict[str, dict[str, Any]] = {
        "hangs": {"silent": True},
        "answers 500": {"words": words, "fail_first": 3, "fail_status": 500},
        "answers 429": {"words": words, "fail_first": 3, "fail_status": 429, "retry_after": "1"},
        "breaks off": {"words": words, "pace_seconds": 0.02, "cut_after": rng.randint(0, 20)},
        "stalls": {"words": words, "pace_seconds": 0.02, "stall_after": rng.randint(0, 20)},
    }
    mode = rng.choice(sorted(modes))
    seconds = rng.uniform(0.5, 2.0)
    run.world.model.script(**modes[mode])

    def mend() -> None:
        time.sleep(seconds)
        run.world.model_behaves()

    run.world.later(mend)
    return f"the model {mode} for {seconds:.1f} s"
