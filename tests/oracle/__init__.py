"""The oracle: a slow, single-threaded recomputation that judges the scorer.

It shares no code with the services and imports nothing of theirs, so that a mistake made there cannot
be made here by inheritance. Every figure is counted again from the list of facts; nothing is kept as a
running sum. ``python -m tests.oracle FILE.. --export DIR`` writes what it finds.
"""
