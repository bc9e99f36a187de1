"""The services: scorer, alerter and API on the lane engine."""
