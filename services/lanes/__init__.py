"""The lane engine: fenced, replayable stream processing on Faust and PostgreSQL.

Lane i is partition i of every input topic of a service: the unit of ownership, order, state, fencing
and scale. The engine owns lanes, reads chunks, commits one transaction per turn, publishes what was
committed, and knows nothing of what it is for; a service plugs in through ``services.lanes.work``.
"""
