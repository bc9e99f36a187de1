"""Whole histories through the whole path, laid beside the oracle."""
