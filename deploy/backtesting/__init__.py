"""``tierstream backtest``: what a policy would have done with a history, and how often it was right."""
