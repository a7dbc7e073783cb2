"""The documentation against the code, and asked like a newcomer would ask it."""
