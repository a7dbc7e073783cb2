"""The secrets that Spanfeed makes for itself on first start, kept in the home folder."""

from __future__ import annotations

import dataclasses
import os
import secrets
import string
from pathlib import Path

from pipeline.errors import SettingError
from pipeline.settings import Settings

_BASE62 = string.digits + string.ascii_letters


def with_secrets(settings: Settings) -> Settings:
    """`settings` with every empty secret filled from the home folder, which must exist.

    A secret that is not there yet is made; several processes may do so at once and get the same.
    Raises SettingError when a file cannot be read or written.
    """
    home = settings.home_path
    return dataclasses.replace(
        settings,
        api_key=settings.api_key or kept(home / "api_key", prefix="sf_"),
        key_pepper=settings.key_pepper or kept(home / "key_pepper"),
        secret_key=settings.secret_key or kept(home / "secret_key"),
        flower_password=settings.flower_password or kept(home / "flower_password", length=22),
    )


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
