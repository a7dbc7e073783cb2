"""Tests of the web room: its routes, its feed, its recorder and its commands."""
