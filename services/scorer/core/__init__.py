"""The scorer's pure core: (state, event, policy, now) -> (state', effects).

No clock, no I/O, no logging, no framework, no randomness. ``advance.py`` holds the three transitions;
each other file is one noun of the policy.
"""
