"""``tierstream explain``: reads what a tier rests on, and recomputes it from the log."""
