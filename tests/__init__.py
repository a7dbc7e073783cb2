"""Spanfeed's tests: real parts, started privately for each run."""
