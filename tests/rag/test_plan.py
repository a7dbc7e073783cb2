"""What is searched for: greetings, follow-ups, collections."""

from __future__ import annotations

import pytest

from tasks.llm.model import Turn
from tasks.rag.plan import Call, Plan, make_plan
from tasks.rag.smalltalk import is_small_talk, is_thanks

HISTORY = [
    Turn("user", "What is slow mode in the chat?"),
    Turn("assistant", "It limits how often a visitor may write. [1]"),
    Turn("user", "thanks!"),
    Turn("assistant", "You are welcome!"),
]
BEFORE = "What is slow mode in the chat?"


@pytest.mark.parametrize(
    "message",
    [
        *("Hi", "Hello there!", "thanks, that helps", "What's up?", "what’s up", "help", "no", "Good morning team"),
        *("Bonjour à tous", "Ça va ?", "Merci beaucoup pour votre aide", "s'il vous plaît", "Au revoir"),
        *("Habari yako rafiki", "Asante sana!", "Jambo", "Kwaheri", "shikamoo", "👋", "???", "", "How are you?"),
    ],
)
def test_courtesies_need_no_search(message: str) -> None:
    """A user who says hello would be told that the documents hold nothing about it."""
    assert make_plan(message, HISTORY, ["docs"]) == Plan("greeting", (), "rules", message)


@pytest.mark.parametrize(
    "message",
    [
        "Hi, how do I request leave?",
        "habari za slack",
        "team",
        "Thanks! What about Zoom?",
        "hello world program",
        "😀 x",
    ],
)
def test_a_question_after_a_courtesy_is_a_question(message: str) -> None:
    """A user who is polite would get no answer."""
    assert make_plan(message, [], ["docs"]).mode == "search"


def test_thanks_are_told_from_greetings() -> None:
    """A user who says thanks would be greeted like a stranger."""
    assert is_thanks("Merci !")
    assert not is_thanks("Hello")
    assert is_small_talk("hi " * 100) is False


@pytest.mark.parametrize(
    "message",
    [
        *("and how do I turn it off?", "How do I turn that off?", "What about moderators?", "is this allowed?"),
        *("Et pour le désactiver ?", "Peut-on la désactiver ? Comment la désactive-t-elle ?", "Na je, hiyo?"),
    ],
)
def test_a_follow_up_is_one_question_with_the_one_before(message: str) -> None:
    """A user who asks "and how do I turn it off?" would be asked back, or answered about light switches."""
    plan = make_plan(message, HISTORY, ["docs"])
    assert plan == Plan("search", (Call("docs", f"{BEFORE} {message}"),), "rules", f"{BEFORE} {message}")


@pytest.mark.parametrize(
    "message",
    ["What is Zoom?", "the leave policy", "Is it possible to telework on Fridays?", "What about annual leave?"],
)
def test_a_short_question_may_also_change_the_subject(message: str) -> None:
    """A user who asks about something else, briefly, would be refused because the old subject is not found with it."""
    plan = make_plan(message, HISTORY, ["docs"])
    assert plan.calls == (Call("docs", f"{BEFORE}\n{message}"),)
    assert plan.standalone == f"{BEFORE} {message}"


@pytest.mark.parametrize(
    "message",
    [
        "How does a supervisor approve annual leave requests?",
        "How do I contact GSA IT support staff quickly?",
        "Which forms that supervisors sign mention telework abroad?",
    ],
)
def test_a_whole_question_stands_alone(message: str) -> None:
    """A user would be answered about the last subject instead of the new one."""
    assert make_plan(message, HISTORY, ["docs"]).calls == (Call("docs", message),)


def test_follow_ups_in_a_row_keep_the_subject() -> None:
    """A user's third question about the same thing would lose the thing."""
    history = [*HISTORY, Turn("user", "how do I turn it off?"), Turn("assistant", "Set it to zero. [1]")]
    assert make_plan("and who can do that?", history, ["docs"]).standalone == (
        f"{BEFORE} how do I turn it off? and who can do that?"
    )
    long = [Turn("user", f"and it number {number}?") for number in range(10)]
    assert make_plan("and that?", long, ["docs"]).standalone.count("number") == 3


def test_without_history_a_follow_up_is_asked_as_it_is() -> None:
    """A user who begins with "and…" would get an error."""
    assert make_plan("and how do I turn it off?", [], ["docs"]).standalone == "and how do I turn it off?"


def test_every_collection_or_the_one_that_was_asked_for() -> None:
    """A user who asks one collection would be answered from all, or the other way round."""
    assert [c.collection for c in make_plan("annual leave", [], ["a", "b"]).calls] == ["a", "b"]
    assert [c.collection for c in make_plan("annual leave", [], ["a", "b"], "b").calls] == ["b"]
    assert make_plan("annual leave", [], []) == Plan("search", (), "rules", "annual leave")


def test_a_plan_survives_its_way_through_json() -> None:
    """A user's run would break between the stage that plans and the one that searches."""
    plan = make_plan("What about Zoom?", HISTORY, ["a", "b"])
    assert Plan.from_dict(plan.to_dict()) == plan
    assert plan.to_dict()["calls"][1] == {
        "collection": "b",
        "query": plan.calls[1].query,
        "tool": "search_documents",
        "arguments": {},
    }
