"""The first seed's maintenance script: `stats`, and `cleanup --hours N [--dry-run]`, as `spanfeed events` has them."""

import sys

from web.cli import main

if __name__ == "__main__":
    main(["events", *sys.argv[1:]])
