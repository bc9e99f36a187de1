"""What a user can mend."""


class CanNotExplainError(RuntimeError):
    """There is nothing to explain, or nothing to explain it by. The message says what to do."""
