"""The alerter: turns tier changes and churn warnings into tasks of advisors."""
