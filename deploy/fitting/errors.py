"""What can't be fitted, said so that a user can mend it."""


class CanNotFitError(ValueError):
    """The purchases at hand allow no fit; the message says what to do. Nothing was written."""


class MisuseError(CanNotFitError):
    """The options do not go with the purchases, or with each other: another call would do."""
