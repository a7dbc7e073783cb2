"""Where settings come from: the environment, files named there, a `.env` file, in that order."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import SettingError
from pipeline.settings import load, read_environment_file


def test_a_value_may_lie_in_a_file(tmp_path: Path) -> None:
    """A container's secrets could not be used."""
    file = tmp_path / "key"
    file.write_text("  sf_secret\n", encoding="utf-8")
    assert load({"SPANFEED_API_KEY_FILE": str(file)}).api_key == "sf_secret"
    (tmp_path / "port").write_text("7001\n", encoding="utf-8")
    assert load({"SPANFEED_PORT_FILE": str(tmp_path / "port")}).port == 7001


def test_a_file_that_cannot_be_read_is_one_clear_sentence(tmp_path: Path) -> None:
    """The program would start without its key, or with a page of traceback."""
    for file in (tmp_path / "missing", tmp_path):
        with pytest.raises(SettingError, match="SPANFEED_API_KEY_FILE"):
            load({"SPANFEED_API_KEY_FILE": str(file)})


def test_a_file_that_is_no_text_is_one_clear_sentence(tmp_path: Path) -> None:
    """A key in another encoding would end the start with a page of traceback."""
    (tmp_path / "key").write_bytes(b"\xff\xfes\x00")
    with pytest.raises(SettingError, match="SPANFEED_API_KEY_FILE"):
        load({"SPANFEED_API_KEY_FILE": str(tmp_path / "key")})


def test_an_environment_file(tmp_path: Path) -> None:
    """What a newcomer writes into `.env` would be misread."""
    file = tmp_path / ".env"
    lines = [
        "# a comment",
        "",
        "PORT=7001",
        "  SPANFEED_HOST = 0.0.0.0  ",
        "export LOG_LEVEL='DEBUG'",
        'DATABASE_URL="postgresql://u:p=#@h/d"',
        "OPENAI_MODEL=",
        'REDIS_URL="',
    ]
    file.write_text("\n".join(lines), encoding="utf-8")
    assert read_environment_file(file) == {
        "PORT": "7001",
        "SPANFEED_HOST": "0.0.0.0",
        "LOG_LEVEL": "DEBUG",
        "DATABASE_URL": "postgresql://u:p=#@h/d",
        "OPENAI_MODEL": "",
        "REDIS_URL": '"',
    }
    assert read_environment_file(tmp_path / "missing") == {}


def test_a_broken_line_is_named_and_not_shown(tmp_path: Path) -> None:
    """A password on a garbled line would stand in the log."""
    file = tmp_path / ".env"
    file.write_text("PORT=1\nhunter2\n", encoding="utf-8")
    with pytest.raises(SettingError, match="line 2") as refused:
        read_environment_file(file)
    assert "hunter2" not in str(refused.value)


def test_an_environment_file_in_another_encoding_is_one_clear_sentence(tmp_path: Path) -> None:
    """A `.env` saved by an old editor would end the start with a page of traceback."""
    file = tmp_path / ".env"
    file.write_bytes("SPANFEED_HOME=/tmp/café".encode("latin-1"))
    with pytest.raises(SettingError, match=r"\.env"):
        read_environment_file(file)


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`PORT=7002 make run` would not do what it says."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("PORT=7001\nSPANFEED_HOST=::1\n", encoding="utf-8")
    for name in ("PORT", "SPANFEED_PORT", "SPANFEED_HOST"):
        monkeypatch.delenv(name, raising=False)
    assert (load().port, load().host) == (7001, "::1")
    for name, port in (("SPANFEED_PORT", 7002), ("PORT", 7003)):
        monkeypatch.setenv(name, str(port))
        assert (load().port, load().host) == (port, "::1")


def test_the_environment_wins_over_a_secrets_file_named_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key given for one run would be ignored for the deployment's."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key").write_text("sf_deployed", encoding="utf-8")
    (tmp_path / ".env").write_text(f"SPANFEED_API_KEY_FILE={tmp_path / 'key'}\n", encoding="utf-8")
    monkeypatch.setenv("SPANFEED_API_KEY", "sf_given")
    assert load().api_key == "sf_given"
