"""What the embedded stack says when it can't run."""


class StartError(RuntimeError):
    """A server could not be started. The message says why and what to do; nothing is left running."""
