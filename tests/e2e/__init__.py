"""The desk in a real browser, on the real API and PostgreSQL, with rows made by the real core."""
