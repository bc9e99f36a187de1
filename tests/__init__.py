"""Tests, and the oracle that judges."""
