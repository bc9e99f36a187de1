"""The pure core over a whole history, without Kafka and PostgreSQL: what the lanes would decide, in event time.

``share.py`` is what one lane holds in memory instead of in tables; ``replay.py`` lets shares pass a
history in step; ``processes.py`` spreads the customers over processes.
"""
