"""Redaction: secrets and personal data are taken out of texts and JSON before they leave the process.

It fails closed: what cannot be looked at is replaced by a fixed marker, never passed on as it was. Most events hold
nothing that even resembles a secret; a few searches for single words tell so before anything is taken apart.
"""

from __future__ import annotations

import functools
import importlib
import logging
import re
import string
import threading
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from pipeline.errors import SettingError
from pipeline.redaction_national import PACKS
from pipeline.redaction_outline import BETWEEN_DIGITS, Outline
from pipeline.redaction_patterns import MARK, PERSONAL, SECRETS, Shape, luhn, without_mail
from pipeline.settings import Settings

logger = logging.getLogger(__name__)
FAILED_JSON = b'{"redacted":true}'
"""In place of a JSON object that could not be looked at."""
DEFAULT_PACKS = ("en", "fr", "sw")
DEFAULT_TEXT_LIMIT_CHARACTERS = 1_048_576
_DEPTH_LIMIT = 32
_PASSES_LIMIT = 4
_SHORTEST_OWN_SECRET = 8
# Denied wherever they stand in a key's name, once it is written in small letters and without separators.
_DENIED_PARTS = frozenset(
    "password passwd passphrase passcode apikey accesskey privatekey secretkey signingkey encryptionkey authorization "
    "clientsecret accesstoken refreshtoken idtoken sessiontoken authtoken bearertoken csrftoken cookie credential "
    "motdepasse nenosiri".split()
)
# Denied at a name's end: `secretary` and `tokens_used` are ordinary.
_DENIED_ENDS = ("secret", "secrets", "token", "pwd")
_DENIED_NAMES = frozenset(("auth", "otp", "cvv", "cvc", "ssn", "pin"))
# Clues in names and labels, where letters are small and nothing stands between words.
_WORDS = (
    b'pas|pwd|secret|token(?!s)|auth|key|cookie|creden|nenosiri|kitambul|nida|nationalid|otp"|cv[vc]|ssn|pin"'
    b"|bearer|basic"
)
_SEPARATORS = b" _-."
_DIGITS = bytes(0x30 if 0x30 <= byte <= 0x39 else byte for byte in range(256))
_LONG_NUMBER = b"000000"
# Every key, token and JWT that a shape knows has so many letters, digits, _ or - in a row.
_RUNS = bytes(0x61 if chr(byte) in string.ascii_letters + string.digits + "_-" else 0x20 for byte in range(256))
_LONG_RUN = b"a" * 16
_CLEAN_LIMIT_ENTRIES = 4_096
_CLEAN_LIMIT_BYTES = 512
_CARD_NUMBER = re.compile(r"[2-6]\d{12,18}")
_NOT_A_LETTER = re.compile(r"[\W_]+")


def squashed(name: str) -> str:
    """A key's name as the deny-list has it: small letters and digits only."""
    return _NOT_A_LETTER.sub("", name).lower()


class Redactor:
    """Takes secrets and personal data out. Safe in several threads. Its methods never raise.

    `keys`: more key names whose values are taken out. `own_secrets`: texts that must never be seen, such as this
    installation's keys. `plugin`: called last, with each text, gives it back redacted.
    """

    def __init__(
        self,
        enabled: bool = True,
        packs: Iterable[str] = DEFAULT_PACKS,
        keys: Iterable[str] = (),
        own_secrets: Iterable[str] = (),
        plugin: Callable[[str], str] | None = None,
        text_limit_characters: int = DEFAULT_TEXT_LIMIT_CHARACTERS,
    ) -> None:
        self.enabled = enabled
        self.failures = 0
        """How often redaction has failed and a marker stands in place of what it was given."""
        self._shapes = (*SECRETS, *PERSONAL, *(shape for pack in packs for shape in PACKS[pack]))
        self._keys = frozenset(filter(None, map(squashed, keys)))
        self._own = tuple(sorted((s for s in own_secrets if len(s) >= _SHORTEST_OWN_SECRET), key=len, reverse=True))
        self._own_clues = tuple(orjson.dumps(secret)[1:-1] for secret in self._own)
        self._words = re.compile(b"|".join([_WORDS, *(re.escape(key.encode()) for key in sorted(self._keys))]))
        self._clean: set[bytes] = set()
        """What was looked at and holds nothing: most events say the same again. Nothing secret is kept."""
        self._plugin = plugin
        self._limit = text_limit_characters
        self._told = False
        self._inside = threading.local()
        self._denies = functools.lru_cache(maxsize=1024)(self._denied)

    def text(self, text: str) -> str:
        """`text` without secrets; the marker when that fails."""
        if not self.enabled:
            return text
        try:
            return self._text(text)
        except Exception as error:  # noqa: BLE001 – whatever it was, nothing may pass unseen
            self._failed(error)
            return MARK

    def json(self, encoded: bytes) -> bytes:
        """JSON without secrets, in the same form; `FAILED_JSON` when that fails."""
        if not self.enabled or not self.suspects(encoded):
            return encoded
        try:
            return orjson.dumps(self._value(orjson.loads(encoded), 0))
        except Exception as error:  # noqa: BLE001 – whatever it was, nothing may pass unseen
            self._failed(error)
            return FAILED_JSON

    def value(self, value: Any, name: str = "") -> Any:
        """A value of a span's attribute without secrets; the marker where its name says that it is one."""
        if not self.enabled:
            return value
        try:
            return MARK if name and self._denies(name) and value not in (None, "") else self._value(value, 0)
        except Exception as error:  # noqa: BLE001 – whatever it was, nothing may pass unseen
            self._failed(error)
            return MARK

    def kinds(self, text: str) -> list[str]:
        """The kinds of personal data and secrets in `text`, sorted; for a warning to whoever has written it."""
        if not self.enabled:
            return []
        try:
            return sorted(self._kinds(text[: self._limit]))
        except Exception as error:  # noqa: BLE001 – whatever it was, nothing may pass unseen
            self._failed(error)
            return []

    def suspects(self, encoded: bytes) -> bool:
        """Whether something in UTF-8 bytes, JSON or not, may have to be taken out. Says yes too often, never no."""
        if self._plugin is not None or not self.enabled:
            return self.enabled
        if encoded in self._clean:
            return False
        found = self._looks(encoded)
        if not found and len(encoded) <= _CLEAN_LIMIT_BYTES:
            if len(self._clean) >= _CLEAN_LIMIT_ENTRIES:
                self._clean.clear()
            self._clean.add(encoded)
        return found

    def _looks(self, encoded: bytes) -> bool:
        return (
            b"@" in encoded
            or _LONG_NUMBER in encoded.translate(_DIGITS, BETWEEN_DIGITS)
            or _LONG_RUN in encoded.translate(_RUNS)
            or any(clue in encoded for clue in self._own_clues)
            or self._words.search(encoded.lower().translate(None, _SEPARATORS)) is not None
        )

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        if not self._told:
            self._told = True
            # Its class only: its text may hold what should not be seen.
            logger.error("redaction has failed (%s): a marker stands in place of the text", type(error).__name__)

    def _text(self, text: str) -> str:
        if not self.suspects(text.encode("utf-8", "replace")):
            return text
        if len(text) > self._limit:
            text = text[: self._limit - 1] + "…"
        for _ in range(_PASSES_LIMIT):
            found = self._once(text)
            if found == text:
                return self._by_plugin(text)
            text = found
        # A text that is new after every look is none that anybody needs to read.
        return MARK

    def _once(self, text: str) -> str:
        encoded = text.encode("utf-8", "replace")
        for secret in self._own:
            text = text.replace(secret, MARK)
        lowered, outline = encoded.lower(), Outline(text, encoded)
        for shape in self._shapes:
            if _possible(shape, lowered, outline):
                text = shape.pattern.sub(shape.replace, text)
        return without_mail(text) if "@" in text else text

    def _kinds(self, text: str) -> set[str]:
        encoded = text.encode("utf-8", "replace")
        lowered, outline = encoded.lower(), Outline(text, encoded)
        found = {"email"} if "@" in text and without_mail(text) != text else set()
        for shape in self._shapes:
            if _possible(shape, lowered, outline):
                replaced = shape.pattern.sub(shape.replace, text)
                if replaced != text:
                    found.add(shape.kind)
                    text = replaced
        return found

    def _by_plugin(self, text: str) -> str:
        # What a plug-in logs comes here, too, and must not be given to it again.
        if self._plugin is None or getattr(self._inside, "plugin", False):
            return text
        self._inside.plugin = True
        try:
            found = self._plugin(text)
        finally:
            self._inside.plugin = False
        if not isinstance(found, str):
            raise TypeError("the plug-in gave no text")
        return found

    def _value(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, int):
            digits = str(value)
            return MARK if len(digits) > 12 and _CARD_NUMBER.fullmatch(digits) and luhn(digits) else value
        if depth >= _DEPTH_LIMIT:
            return MARK
        if isinstance(value, dict):
            return {
                self._text(name): MARK
                if self._denies(name) and inner not in (None, "")
                else self._value(inner, depth + 1)
                for name, inner in value.items()
            }
        if isinstance(value, list | tuple):
            return [self._value(item, depth + 1) for item in value]
        raise TypeError(type(value).__name__)

    def _denied(self, name: str) -> bool:
        plain = squashed(name)
        return (
            plain in _DENIED_NAMES
            or plain.endswith(_DENIED_ENDS)
            or any(part in plain for part in _DENIED_PARTS)
            or any(key in plain for key in self._keys)
        )


def _possible(shape: Shape, lowered: bytes, outline: Outline) -> bool:
    # Where there are no letters, the words need not be searched for one by one.
    clues = shape.clues if outline.has_letters else tuple(clue for clue in shape.clues if not clue.islower())
    clue = any(clue in lowered for clue in clues) if shape.clues else outline.has_number
    return clue and outline.may_have(shape.plain, shape.joined)


DEFAULT = Redactor()
"""What redacts where nobody has said otherwise."""


def plugin_of(path: str) -> Callable[[str], str]:
    """The function that `module:function` names. Raises SettingError."""
    module, _, name = path.partition(":")
    try:
        found: Callable[[str], str] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingError(f"SPANFEED_REDACTION_PLUGIN cannot be loaded: {type(error).__name__}") from None
    return found


@functools.lru_cache(maxsize=16)
def redactor_of(settings: Settings) -> Redactor:
    """The redactor that the settings ask for. Raises SettingError."""
    packs = [pack.strip().lower() for pack in settings.redaction_packs.split(",") if pack.strip()]
    unknown = [pack for pack in packs if pack not in PACKS]
    if unknown:
        raise SettingError(f"SPANFEED_REDACTION_PACKS has no pack {unknown[0]!r}; there are {', '.join(PACKS)}")
    return Redactor(
        enabled=settings.redaction,
        packs=packs,
        keys=settings.redaction_keys.split(","),
        own_secrets=settings.secrets(),
        plugin=plugin_of(settings.redaction_plugin) if settings.redaction_plugin else None,
        text_limit_characters=settings.redaction_text_limit_characters,
    )
