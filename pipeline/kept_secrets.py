"""A secret that is made when it is first needed and kept in a file that only its owner can read."""

from __future__ import annotations

import os
import secrets
import string
from pathlib import Path

from pipeline.errors import SettingError

_BASE62 = string.digits + string.ascii_letters
AUDIT_KEY_FILE = "audit_key"


def kept(path: Path, prefix: str = "", length: int = 43) -> str:
    """The secret in `path`: `prefix` and `length` random base62 characters, made when missing.

    Raises SettingError when the file cannot be read or written.
    """
    try:
        found = _read(path)
        if found:
            return found
        _write_once(path, prefix + "".join(secrets.choice(_BASE62) for _ in range(length)))
        return _read(path)
    except OSError as error:
        raise SettingError(f"{path} cannot be used: {error.strerror}") from None


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    path.chmod(0o600)
    return text


def _write_once(path: Path, value: str) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(value + "\n")
            file.flush()
            os.fsync(descriptor)
        if path.exists() and path.stat().st_size == 0:
            path.unlink()
        # A link fails where another process was first, a rename would replace its secret.
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()
