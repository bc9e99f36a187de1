"""Data sets in wire form: a real one, and made-up ones that are hard to count right."""
