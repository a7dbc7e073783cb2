"""The first seed's migration script: the same as `spanfeed db upgrade`."""

from web.cli import main

if __name__ == "__main__":
    main(["db", "upgrade"])
