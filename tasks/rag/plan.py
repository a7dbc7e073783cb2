"""What to search for, decided by rules: nothing for a greeting; for a follow-up, the question before it too."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from tasks.llm.model import Turn
from tasks.rag.smalltalk import is_small_talk
from tasks.rag.terms import content_words, folded, words

# A message of so few content words is taken for a follow-up (recall@5 .820 → .885 on human dialogues).
_FEW_WORDS = 3
# Two follow-ups in a row still need the question that they follow; taking all of the history hurts.
_EARLIER_TURNS_LIMIT = 3
_TURN_LIMIT_CHARACTERS = 2_000

_PRONOUNS = """
it its they them their theirs he him his she her hers this these those
ca cela ceci celui celle ceux celles elle elles ils
hii hiyo hizi hizo hili hilo huyo huyu hayo hao huo nayo nazo
"""
_POINTING = frozenset(_PRONOUNS.split())
_OPENING = re.compile(
    r"^\W*(?:and|but|or|also|then|so|what about|how about|what if|why not|et|mais|ou|alors|donc|qu'en est-il|na|lakini|"
    r"au|pia|vipi kuhusu|je kuhusu|halafu)\b",
    re.IGNORECASE,
)
# "That" points back at the end of a clause or after these words; elsewhere it mostly joins two clauses.
_THAT = re.compile(
    r"\b(?:is|was|are|does|did|do|can|will|about|of|for|with|after|before|to|like|from|in|on|by|than|at|change|use|get)"
    r" that\b|\bthat(?:\W*$| (?:on|off|up|down|out|in|for|to|with|back|again|now|too|work|mean|cost|happen|take)\b)",
    re.IGNORECASE,
)
# "It" that stands for nothing said before: "is it possible to…"; and the department of that name.
_EXPLETIVE = re.compile(
    r"\b(?:(?:is|was|would|will) it(?: be)?|il est|est-il) \w+ (?:to|that|if|de|que)\b|\bil faut\b", re.IGNORECASE
)
_DEPARTMENT = re.compile(r"\bIT\b")
_ATTACHED = re.compile(r"\w-(?:le|la|les|lui|leur|en|y)\b", re.IGNORECASE)


SEARCH = "search_documents"
"""The tool that searches one collection."""


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of a tool, most often a search: the collection and what is asked of it.

    Lines of the query are questions in their own right. `arguments` are those of the tool besides these two.
    """

    collection: str
    query: str
    tool: str = SEARCH
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)

    def given(self) -> dict[str, Any]:
        """All arguments by name, without those that are empty."""
        named = {"collection": self.collection, "query": self.query}
        return {**self.arguments, **{name: value for name, value in named.items() if value}}


@dataclasses.dataclass(frozen=True)
class Plan:
    """What the next stages do. `mode` is `search` or `greeting`; `standalone` is the message made whole by history."""

    mode: str
    calls: tuple[Call, ...]
    planner: str
    standalone: str

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON can hold it."""
        return {**dataclasses.asdict(self), "calls": [dataclasses.asdict(call) for call in self.calls]}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Plan:
        """The plan that `to_dict` wrote."""
        return cls(**{**data, "calls": tuple(Call(**call) for call in data["calls"])})


def make_plan(message: str, history: Sequence[Turn], collections: Sequence[str], only: str | None = None) -> Plan:
    """The plan for `message` after `history` (oldest first, without the message itself).

    Searches every one of `collections`, or just `only`.
    """
    asked = " ".join(message.split())
    if is_small_talk(asked):
        return Plan("greeting", (), "rules", asked)
    earlier = _earlier_questions(asked, history)
    standalone = " ".join([*earlier, asked])
    # What says next to nothing by itself is one question with what it follows; the rest may also change the subject.
    whole = len(content_words(asked)) < (_FEW_WORDS if has_pronoun(asked) else 2) and points_back(asked)
    query = standalone if whole or not earlier else f"{' '.join(earlier)}\n{asked}"
    names = [only] if only else list(collections)
    return Plan("search", tuple(Call(name, query) for name in names), "rules", standalone)


def keyed(calls: Sequence[Call]) -> dict[str, Call]:
    """Each call by a key of its own, the name of its span in the run: the tool's event type, then the collection.

    Further calls of the same tool for the same collection are numbered.
    """
    found: dict[str, Call] = {}
    for call in calls:
        name = f"tool_{call.tool}/{call.collection}" if call.collection else f"tool_{call.tool}"
        key, number = name, 2
        while key in found:
            key, number = f"{name}#{number}" if call.collection else f"{name}/#{number}", number + 1
        found[key] = call
    return found


def points_back(message: str) -> bool:
    """Whether the message needs what was said before: a pronoun, or an opening such as "and" or "what about"."""
    return has_pronoun(message) or _OPENING.search(_plain(message)) is not None


def has_pronoun(message: str) -> bool:
    """Whether a word of the message stands for something said before."""
    plain = _plain(message)
    return bool(_POINTING.intersection(words(plain)) or _THAT.search(plain) or _ATTACHED.search(plain))


def _plain(message: str) -> str:
    if not message.isupper():
        message = _DEPARTMENT.sub(" ", message)
    return _EXPLETIVE.sub(" ", folded(message.lower()).replace("\u2019", "'"))


def _earlier_questions(asked: str, history: Sequence[Turn]) -> list[str]:
    if not points_back(asked) and len(content_words(asked)) > _FEW_WORDS:
        return []
    earlier: list[str] = []
    for turn in reversed(history):
        text = " ".join(turn.text.split())[:_TURN_LIMIT_CHARACTERS]
        if turn.role != "user" or is_small_talk(text):
            continue
        earlier.insert(0, text)
        if not points_back(text) or len(earlier) == _EARLIER_TURNS_LIMIT:
            break
    return earlier
