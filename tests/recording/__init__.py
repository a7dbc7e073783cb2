"""Makes the README's pictures: a real Spanfeed, a real browser, one question after another."""
