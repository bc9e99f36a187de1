"""How many histories a law is tried on: few in ``make test``, thousands with ``make laws``."""

from __future__ import annotations

import os

from hypothesis import settings

HISTORIES = int(os.environ.get("TIERSTREAM_LAW_HISTORIES", "150"))
LAWS = settings(max_examples=HISTORIES, deadline=None)
