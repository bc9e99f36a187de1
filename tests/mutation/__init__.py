"""Mutation tests of the scoring core: ``make mutation``, outside CI; what survives is in SURVIVORS.md."""
