"""Tests of the answer's authors."""
