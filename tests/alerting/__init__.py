"""Alert rules: what they may say, what they measure, when they fire and who is told."""
