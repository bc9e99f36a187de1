"""The API and the advisor's desk: what people and machines read and do, on the truth in PostgreSQL."""
