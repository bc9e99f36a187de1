"""Contracts: what is written down equals what the code does, and real PostgreSQL agrees."""
