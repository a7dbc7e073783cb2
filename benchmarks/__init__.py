"""Comparisons of Spanfeed with a plain peer, in one run, as commands: see README.md."""
