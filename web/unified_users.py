"""For which user somebody may listen, and speak to themselves. No Flask."""

from __future__ import annotations

from pipeline.event import LIMITS
from web.errors import Problem, invalid
from web.keyring import RESERVED
from web.policy import Principal


def user_of(who: Principal, given: str | None, place: str) -> str:
    """The user whose feed is meant: the asker, or whom an application names. Raises Problem.

    A session's token stands for whoever uses that one session, and opens nobody's feed across sessions.
    """
    if who.session_id is not None:
        raise Problem(403, "insufficient_scope", "A session's token opens its own session only.")
    if given is None or given == who.id:
        return who.id
    if who.owns_only:
        raise Problem(403, "foreign_user", "Only an application's key may name a user.")
    if not 0 < len(given) <= LIMITS["user_id"] or not given.isprintable():
        message = f"must be 1 to {LIMITS['user_id']} printable characters"
        raise invalid(place, "user_id", message, "invalid_user", given)
    if given.startswith(RESERVED):
        raise invalid(place, "user_id", f"no user's name begins with {', '.join(RESERVED)}", "invalid_user", given)
    return given
