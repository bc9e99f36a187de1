"""``tierstream products``: listings of products into the table that the scorer's lanes look them up in."""
