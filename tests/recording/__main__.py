"""The command: `python -m tests.recording FOLDER` writes the README's pictures into the folder."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import ARGUMENTS, CLIENT, chromium
from tests.parts.redis_part import RedisPart
from tests.parts.stack import ROOT, Stack
from tests.recording.film import Film
from tests.recording.story import film, pictures

WORDS_PER_SECOND = "14"
"""So fast a reader can follow."""


def main() -> int:
    """Tells the story twice, as a film and in pictures; 1 where a part of it cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m tests.recording", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    program = chromium()
    if program is None or not CLIENT.exists():
        print("This needs Chromium, and the built page (make page).", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="sf-recording-") as home:
        redis = RedisPart(Path(home) / "redis")
        stack = Stack(Path(home) / "home", redis, SPANFEED_EXTRACTIVE_WORDS_PER_SECOND=WORDS_PER_SECOND)
        try:
            stack.command("documents", "add", str(ROOT / "docs"), "--collection", "docs")
            stack.start()
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
                size = film(browser, stack.url, Film(folder / "chat.webp"))
                print(f"chat.webp: {size / 1000:.0f} kB")
                for name in pictures(browser, stack.url, folder):
                    print(f"{name}: {(folder / name).stat().st_size / 1000:.0f} kB")
                browser.close()
        finally:
            stack.close()
            redis.stop(kill=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
