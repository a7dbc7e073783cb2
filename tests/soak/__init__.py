"""Clients that join, leave and resume many thousand times while servers die, and the judge of what they were told."""
