"""Reading the list of rules that a file of an operator holds, in TOML or JSON."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import orjson

from pipeline.errors import SettingError

_FILE_LIMIT_BYTES = 262_144


def read_rules(path: Path, variable: str, what: str, name: str, limit: int) -> list[Any]:
    """The file's list `name`, of at most `limit` rules, which are not looked at yet.

    `variable` is the setting that names the file, `what` the kind of rules. Raises SettingError, which says what is
    wrong.
    """
    try:
        text = path.expanduser().read_bytes()
        if len(text) > _FILE_LIMIT_BYTES:
            raise SettingError(f"{what}: the file is larger than {_FILE_LIMIT_BYTES} bytes")
        data = orjson.loads(text) if path.suffix == ".json" else tomllib.loads(text.decode())
    except OSError as error:
        raise SettingError(f"{variable} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, ValueError) as error:
        raise SettingError(f"{what}: {path.name} cannot be understood: {error}") from None
    rules = data.get(name) if isinstance(data, dict) else None
    if not isinstance(rules, list) or set(data) != {name}:
        raise SettingError(f"{what}: {path.name} must hold a list named {name}, and nothing else")
    if len(rules) > limit:
        raise SettingError(f"{what}: there are more than {limit} rules")
    return rules
