"""The secrets that Spanfeed makes for itself on first start, kept in the home folder."""

from __future__ import annotations

import dataclasses

from pipeline.kept_secrets import kept
from pipeline.settings import Settings

__all__ = ["kept", "with_secrets"]


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
