"""Fitting the purchase and spend models to a history of purchases: a batch job, ``tierstream fit``."""
