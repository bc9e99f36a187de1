"""The churn rules, one file for each kind: when an episode may start, and what it rests on.

A rule's ``starts`` are a function of the remembered facts alone, so the order of arrival can't show. The
last of them may lie ahead: it comes true if nothing more is heard. ``episodes.py`` makes episodes of them.
"""
