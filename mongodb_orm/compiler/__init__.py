"""From what callers mean to what MongoDB understands; pure functions."""
