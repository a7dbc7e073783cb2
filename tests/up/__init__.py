"""Tests of `spanfeed up`: what the newcomer sees when it starts, fails, and ends."""
