"""The shapes of national ids, by the language of those who have them."""

from __future__ import annotations

import re

from pipeline.redaction_patterns import LINK, SPACE, Shape, always, if_, shape


def _nir(text: str) -> bool:
    plain = "".join(text.split()).upper().replace("2A", "19").replace("2B", "18")
    return len(plain) == 15 and int(plain[:13]) % 97 == 97 - int(plain[13:])


def _cpf(text: str) -> bool:
    digits = [int(letter) for letter in text if letter.isdigit()]
    sums = [sum(d * w for d, w in zip(digits, range(n + 1, 1, -1), strict=False)) * 10 % 11 % 10 for n in (9, 10)]
    return len(set(digits)) > 1 and sums == digits[9:]


def _dni(text: str) -> bool:
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(text[:8]) % 23] == text[-1].upper()


_IDENTITY_LINK = rf"{LINK}(?:(?:number|no|namba|ya|is|ni|taifa|cha|yangu){LINK}){{0,3}}"
PACKS: dict[str, tuple[Shape, ...]] = {
    "en": (
        shape(
            "national_id",
            "",
            r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])",
            always("[id]"),
            plain="000-00-0000",
        ),
        shape(
            "national_id",
            "",
            r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b",
            always("[id]"),
            joined="AA000000A",
        ),
    ),
    "fr": (
        shape(
            "national_id",
            "",
            rf"[12](?<!\w[12]){SPACE}?\d{{2}}{SPACE}?\d{{2}}{SPACE}?(?:\d{{2}}|2[AB]){SPACE}?\d{{3}}{SPACE}?\d{{3}}"
            rf"{SPACE}?\d{{2}}(?!\w)",
            if_(_nir, "[id]"),
            joined=f"{'0' * 15} 000000A00000000",
        ),
    ),
    "sw": (
        shape(
            "national_id",
            "",
            r"(?<![\w-])(?:19|20)\d{6}-\d{5}-\d{5}-\d{2}(?![\w-])",
            always("[id]"),
            plain="00000000-00000-00000-00",
        ),
        shape(
            "national_id",
            "kitambulisho nida national",
            rf"(?P<head>\b(?:kitambulisho|nida|national id){_IDENTITY_LINK})\d{{7,20}}\b",
            if_(lambda _: True, "[id]"),
            re.IGNORECASE,
        ),
    ),
    "es": (shape("national_id", "", r"\b\d{8}-?[A-HJ-NP-TV-Z]\b", if_(_dni, "[id]"), joined="00000000A"),),
    "pt": (
        shape(
            "national_id",
            "",
            r"(?<![\w-])\d{3}\.\d{3}\.\d{3}-\d{2}(?![\w-])",
            if_(_cpf, "[id]"),
            plain="000.000.000-00",
        ),
    ),
}
"""National ids, by the language of those who have them."""
