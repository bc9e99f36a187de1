"""``python -m services.api``: serve with the settings of the environment."""

from __future__ import annotations

from services.api.main import serve
from services.api.settings import ApiSettings

if __name__ == "__main__":
    serve(ApiSettings(), started=lambda address: print(f"the desk is at {address}", flush=True))
