"""The contracts that services share: events, topics, tables, task states.

Nothing here knows how a service works; everything here may be read by any of them. JSON Schemas and
examples are generated from the structs (``python -m schemas``), so this package is the one source.
"""
