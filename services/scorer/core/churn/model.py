"""The purchase model gives little hope: P(no purchase in the next days) is over a threshold."""
