"""Predicted behaviour: what a customer who bought then and then will do next.

Everything here is a pure function of fitted parameters and of three numbers of a customer: how often it
came back, its age at its last purchase, and its age now (``history``). Nothing is kept but those.
"""
