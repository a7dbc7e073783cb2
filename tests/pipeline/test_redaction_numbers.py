"""Texts full of numbers: what is told from their outline alone hides nothing, and they cost little."""

from __future__ import annotations

import dataclasses
import random
import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.redaction import Redactor
from pipeline.redaction_national import PACKS
from pipeline.redaction_patterns import Shape, luhn

_GAP = "[ .\u00a0\u202f-]"
# Every form of a phone number in one pattern, looked for from left to right, as one would write it first.
_PHONE = re.compile(
    rf"(?<![\w+])\+\d{{1,3}}(?:{_GAP}?[(]?\d[)]?){{6,13}}(?![\w])"
    rf"|(?<![\w.-])00[1-9]\d?(?:{_GAP}?\d){{8,12}}(?![\w-])"
    rf"|(?<![\w.-])0[1-9](?P<p>{_GAP}?)\d{{2}}(?P=p)\d{{2}}(?P=p)\d{{2}}(?P=p)\d{{2}}(?![\w-])"
    rf"|(?<![\w.-])0\d{{2,4}}{_GAP}\d{{3,4}}{_GAP}?\d{{3,4}}(?![\w-])"
    rf"|(?<![\w.-])0[17]\d{{8,9}}(?![\w-])"
    rf"|(?<![\w.-])(?:\(\d{{3}}\) ?|\d{{3}}{_GAP})\d{{3}}[.-]\d{{4}}(?![\w-])"
)


def _patient() -> Redactor:
    """A redactor that tries every shape of numbers on every text."""
    made = Redactor(packs=PACKS)
    shapes: list[Shape] = []
    for shape in made._shapes:
        if shape.kind != "phone":
            shapes.append(dataclasses.replace(shape, plain=(), joined=()))
        elif "phone" not in [one.kind for one in shapes]:
            shapes.append(Shape("phone", (), _PHONE, shape.replace))
    made._shapes = tuple(shapes)
    return made


_QUICK, _PATIENT = Redactor(packs=PACKS), _patient()
_LIKE_NUMBERS = st.lists(
    st.one_of(
        st.text("0123456789", min_size=1, max_size=20),
        st.sampled_from(
            "+33 0 00 06 078 19 4111 5500 37828 2A 2B AB GB FR76 X @ ( ) . - _ , : \u00a0 \u202f é ١٢٣ १२३٤٥٦ x Z"
            " 123-45-6789 111.444.777-35 12345678Z AB123456C 1-800 555-0199 20000101-12345-12345-12".split(" ")
        ),
        st.sampled_from([" ", "  ", "\n", ""]),
    ),
    max_size=14,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(_LIKE_NUMBERS)
def test_the_quick_look_finds_what_a_patient_one_finds(text: str) -> None:
    """Without this a phone number or a card in an unusual surrounding would be passed on, for the sake of speed."""
    assert _QUICK._once(text) == _PATIENT._once(text)
    assert _QUICK._kinds(text) == _PATIENT._kinds(text)


@pytest.mark.parametrize(
    ("number", "right"),
    [("4111 1111 1111 1111", True), ("4111-1111-1111-1112", False), ("٤١١١ ١١١١ ١١١١ ١١١١", True), ("", False)],
)
def test_the_digits_of_a_card_are_added_up(number: str, right: bool) -> None:
    """Without this cards would be passed on, or order numbers taken out."""
    assert luhn(number) is right


def _seconds(redactor: Redactor, text: str) -> float:
    def once() -> float:
        began = time.thread_time()
        redactor.text(text)
        return time.thread_time() - began

    return min(once() for _ in range(3))


_RANDOM = random.Random(1)
_DIGITS = "".join(_RANDOM.choices("0123456789", k=200_000))


@pytest.mark.parametrize(
    "text",
    [
        _DIGITS,
        "-".join(_DIGITS[i : i + 3] for i in range(0, 150_000, 3)),
        str([_RANDOM.random() for _ in range(9_000)]),
    ],
    ids=["digits", "hyphens", "fractions"],
)
def test_long_texts_of_numbers_cost_little(text: str) -> None:
    """Without this an event with a table of measurements would take its stage a tenth of a second."""
    quick, patient = _seconds(_QUICK, text), _seconds(_PATIENT, text)
    assert quick < patient / 2


@pytest.mark.parametrize("make", [lambda n: "0" * n, lambda n: "+1" * (n // 2), lambda n: "4111 " * (n // 5)])
def test_the_cost_grows_with_the_length_and_no_faster(make: Callable[[int], str]) -> None:
    """Without this somebody could keep a process busy for minutes with one event."""
    short, long = _seconds(_QUICK, make(50_000)), _seconds(_QUICK, make(400_000))
    assert long < short * 8 * 4 + 0.05
