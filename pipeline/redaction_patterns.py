"""The shapes of secrets and personal data, each with a clue that tells cheaply when it cannot be there.

Every pattern is linear: repeats are bounded, and no repeat stands inside another one over the same characters. What a
pattern cannot tell apart from ordinary words is looked at by a check: Luhn for cards, a digit for keys, and so on.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

MARK = "[redacted]"
"""Stands where a value was taken out, and where redaction itself has failed."""
_GAP = "[ .\u00a0\u202f-]"
SPACE = "[ \u00a0\u202f]"
_LABEL = (
    r"(?:pass(?:word|wd|phrase|code)|pwd|secret|token|api[ _-]?key|credentials?|mot de passe|nenosiri"
    r"|(?:access|private|secret|signing|encryption)[ _-]?key)"
)


@dataclasses.dataclass(frozen=True)
class Shape:
    """One shape. `clues` are lower-case bytes of which one must be there; none: six digits in a row must be.

    One of the outlines must be there, too, see `Outline.may_have`.
    """

    kind: str
    clues: tuple[bytes, ...]
    pattern: re.Pattern[str]
    replace: Callable[[re.Match[str]], str]
    plain: tuple[bytes, ...] = ()
    joined: tuple[bytes, ...] = ()


def looks_secret(value: str) -> bool:
    """Whether a value beside a label is no ordinary word: a digit, a mixed case, or a length that words do not have."""
    bare = value.rstrip(".!?:)")
    return (
        bare.startswith("[")
        or len(bare) >= 24
        or any(letter.isdigit() or letter in "=+/$%#!_*^" for letter in bare)
        or bare[1:] not in (bare[1:].lower(), bare[1:].upper())
    )


def always(marker: str) -> Callable[[re.Match[str]], str]:
    """The marker for every match."""
    return lambda _: marker


def if_(check: Callable[[str], bool], marker: str) -> Callable[[re.Match[str]], str]:
    """The marker where `check` says yes to the match; the match's group `head` stays in front of it."""

    def replace(match: re.Match[str]) -> str:
        head = match.groupdict().get("head") or ""
        return head + marker if check(match[0][len(head) :]) else match[0]

    return replace


def _labelled(match: re.Match[str]) -> str:
    # Behind a colon and a space an ordinary sentence may go on.
    told = match["colon"] is None or match["quote"] is not None or not match["space"]
    value = match[0][len(match["head"]) :]
    return match["head"] + (match["quote"] or "") + MARK if told or looks_secret(value) else match[0]


def _header(match: re.Match[str]) -> str:
    return match["head"] + MARK if looks_secret(match["value"]) else match[0]


def _has_digits(count: int) -> Callable[[str], bool]:
    return lambda text: sum(letter.isdigit() for letter in text) >= count


_NO_DIGITS = bytes(byte for byte in range(128) if not 48 <= byte <= 57)
_DOUBLED = bytes((byte - 48) * 2 - 9 * (byte > 52) if 48 <= byte <= 57 else 0 for byte in range(256))
"""By digit: what its double adds to the sum."""


def luhn(text: str) -> bool:
    """Whether the digits of `text` add up as those of a card do."""
    if not text.isascii():
        text = "".join(str(int(letter)) for letter in text if letter.isdecimal())
    digits = text.encode().translate(None, _NO_DIGITS)
    plain, doubled = digits[-1::-2], digits[-2::-2].translate(_DOUBLED)
    return bool(digits) and (sum(plain) - 48 * len(plain) + sum(doubled)) % 10 == 0


def _iban(text: str) -> bool:
    plain = "".join(text.split()).upper()
    number = "".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])
    return 15 <= len(plain) <= 34 and int(number) % 97 == 1


def _bytes(words: str) -> tuple[bytes, ...]:
    return tuple(word.encode() for word in words.split())


def shape(
    kind: str,
    clues: str,
    pattern: str,
    replace: Callable[[re.Match[str]], str],
    flags: re.RegexFlag = re.NOFLAG,
    plain: str = "",
    joined: str = "",
) -> Shape:
    """A shape; what is bytes of it is given as words."""
    return Shape(kind, _bytes(clues), re.compile(pattern, flags), replace, _bytes(plain), _bytes(joined))


_KEY_PREFIXES = (
    r"(?:sk-|rk_live_|sk_live_|gh[pousr]_|github_pat_|xox[abeoprs]-|xapp-|sf_|glpat-|npm_|hf_)[A-Za-z0-9_-]{13,255}+"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{35}"
)
SECRETS = (
    shape(
        "secret",
        "-----begin",
        r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[A-Za-z0-9+/=\s\\]{0,8192}+(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?",
        always(MARK),
    ),
    shape("secret", "://", r"://[^\s/]{1,300}@", always("://***@")),
    shape(
        "secret",
        "eyj",
        r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{5,512}+\.eyJ[A-Za-z0-9_-]{2,8192}+(?:\.[A-Za-z0-9_-]{0,2048}+)?",
        always("[token]"),
    ),
    shape(
        "secret",
        "sk- rk_live_ sk_live_ ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ xox xapp- sf_ glpat- npm_ hf_ akia asia aiza",
        rf"(?<![A-Za-z0-9])(?:{_KEY_PREFIXES})",
        if_(lambda text: text.startswith(("AKIA", "ASIA")) or _has_digits(1)(text) or text != text.lower(), "[key]"),
    ),
    shape(
        "secret",
        "cookie",
        r"(?P<head>(?:set-)?cookie[\"']?\s{0,3}[:=]\s{0,3})(?P<value>[^\r\n=]{1,256}=[^\r\n]{1,2048})",
        _header,
        re.IGNORECASE,
    ),
    shape(
        "secret",
        "authorization",
        r"(?P<head>authorization[\\\"']{0,2}\s{0,3}[:=]\s{0,3}[\\\"']{0,2}(?:[a-z]{3,12} )?)"
        r"(?P<value>[^\s\"'<>,;&\\]{1,2048})",
        _header,
        re.IGNORECASE,
    ),
    shape(
        "secret",
        "bearer basic",
        r"(?P<head>\b(?:bearer|basic) )(?P<value>(?:\[token\]|\[key\]|[A-Za-z0-9._~+/=-]{8,4096}))",
        _header,
        re.IGNORECASE,
    ),
    shape(
        "secret",
        "pass pwd secret token key credential nenosiri",
        rf"(?P<head>{_LABEL}[\\\"']{{0,2}}\s{{0,3}}(?:=|(?P<colon>:))(?P<space>\s{{0,3}}))"
        r"(?:(?P<quote>\\?[\"'])[^\"'\n\\]{1,512}|(?(colon)[^\s\"'<>\\]{1,512}|[^\s\"'<>,;&\\]{1,512}))",
        _labelled,
        re.IGNORECASE,
    ),
)
"""Secrets: looked for first, since what they hold may look like anything."""

_CARD = (
    r"4\d{3}(?P<a>[ -]?)\d{4}(?P=a)\d{4}(?P=a)\d{1,7}|4\d{12}|5[1-5]\d{2}(?P<b>[ -]?)\d{4}(?P=b)\d{4}(?P=b)\d{4}"
    r"|2[2-7]\d{2}(?P<c>[ -]?)\d{4}(?P=c)\d{4}(?P=c)\d{4}|3[47]\d{2}(?P<d>[ -]?)\d{6}(?P=d)\d{5}"
    r"|3[068]\d{2}(?P<e>[ -]?)\d{6}(?P=e)\d{4}|6(?:011|5\d{2}|4[4-9]\d)(?P<f>[ -]?)\d{4}(?P=f)\d{4}(?P=f)\d{4,7}"
    r"|35\d{2}(?P<g>[ -]?)\d{4}(?P=g)\d{4}(?P=g)\d{4}"
)
LINK = r"[^A-Za-z0-9\n]{0,4}"
_PASSPORT_LINK = rf"{LINK}(?:(?:number|no|num|numéro|numero|namba|n|is|est|ni|ya|yangu){LINK}){{0,3}}"
PERSONAL = (
    shape(
        "iban",
        "",
        rf"\b[A-Z]{{2}}\d{{2}}(?:{SPACE}?[A-Z0-9]{{4}}){{2,7}}(?:{SPACE}?[A-Z0-9]{{1,3}})?\b",
        if_(_iban, "[iban]"),
        plain="AA00",
    ),
    # Within letters it is a piece of an id: of 3,000 trace ids one holds digits that add up.
    shape("card", "", rf"(?<![A-Za-z0-9])(?<!\d\.)(?:{_CARD})(?![A-Za-z0-9])", if_(luhn, "[card]"), joined="0" * 13),
    shape(
        "passport",
        "passport passeport pasipoti paspoti",
        rf"(?P<head>\b(?:passport|passeport|pasipoti|paspoti){_PASSPORT_LINK})[a-z0-9]{{6,12}}\b",
        if_(_has_digits(4), "[id]"),
        re.IGNORECASE,
    ),
    shape(
        "passport",
        "passport passeport pasipoti paspoti",
        r"\b[a-z0-9]{6,12}(?=[ (,-]{1,3}(?:passport|passeport|pasipoti|paspoti)\b)",
        if_(_has_digits(4), "[id]"),
        re.IGNORECASE,
    ),
    # Each begins with a letter that is searched for fast; what may not stand before it is looked at afterwards.
    shape(
        "phone",
        "+",
        rf"\+(?<![\w+]\+)\d{{1,3}}(?:{_GAP}?[(]?\d[)]?){{6,13}}(?![\w])",
        always("[phone]"),
        joined="+0000000",
    ),
    shape(
        "phone",
        "0",
        rf"0(?<![\w.-]0)(?:0[1-9]\d?(?:{_GAP}?\d){{8,12}}"
        rf"|[1-9](?P<p>{_GAP}?)\d{{2}}(?P=p)\d{{2}}(?P=p)\d{{2}}(?P=p)\d{{2}}"
        rf"|\d{{2,4}}{_GAP}\d{{3,4}}{_GAP}?\d{{3,4}}"
        rf"|[17]\d{{8,9}})(?![\w-])",
        always("[phone]"),
        joined="0" * 9,
    ),
    shape(
        "phone",
        "",
        rf"(?<![\w.-])(?:\(\d{{3}}\) ?|\d{{3}}{_GAP})\d{{3}}[.-]\d{{4}}(?![\w-])",
        always("[phone]"),
        plain="000-0000 000.0000",
    ),
)
_MAIL_DOMAIN = re.compile(r"(?<=[\w.%+'-])@[\w.-]{4,253}")
_MAIL_LOCAL = re.compile(r"[\w.%+'-]{1,64}\Z")
_TOP_DOMAIN = re.compile(r"[\w-]\.[^\W\d_]{2,24}\Z")


def without_mail(text: str) -> str:
    """`text` with every mail address taken out. From each `@` outwards: a look from the left would be quadratic."""
    pieces, done = [], 0
    for match in _MAIL_DOMAIN.finditer(text):
        domain = match[0].rstrip(".-_")
        while "." in domain and not _TOP_DOMAIN.search(domain):
            domain = domain.rpartition(".")[0].rstrip(".-_")
        local = _MAIL_LOCAL.search(text, max(done, match.start() - 64), match.start())
        if "." in domain and local is not None:
            pieces += [text[done : local.start()], "[mail]"]
            done = match.start() + len(domain)
    return "".join(pieces) + text[done:] if pieces else text
