"""Scores customers and keeps their tiers: the pure core, and its plug into the lane engine."""
