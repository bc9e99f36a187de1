"""The demo: a year of real baskets, then synthetic shoppers."""
