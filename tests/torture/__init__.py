"""Processes killed, frozen and cut off at random while a history passes, and then every figure counted again.

``python -m tests.torture`` is one seeded run against real processes; ``test_harness.py`` tests the harness.
"""
