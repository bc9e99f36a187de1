"""Ours against named peers: one run on one machine, shown and never asserted. ``python -m tests.bench``."""
