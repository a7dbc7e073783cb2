"""Seeded runs of faults against a whole Spanfeed, judged by a checker that asks the product nothing."""
