"""The errors that bad input raises, shown to the user as a single line."""


class InputError(ValueError):
    """The user's input cannot be used: a file, a setting or an option.

    The message is one sentence or two: what is wrong, where (file, line or column), and what to do about it. The
    command line prints it on standard error and exits 2.
    """


class TooFewRows(InputError):  # noqa: N818
    """There are too few rows of a class, a group or a time to be kept apart as the split asks."""
