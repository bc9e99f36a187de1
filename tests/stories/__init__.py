"""Worked stories in plain words, each run through the whole stack."""
