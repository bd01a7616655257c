"""The one error that bad input raises, shown to the user as a single line."""


class InputError(ValueError):
    """The user's input cannot be used: a file, a setting or an option.

    The message is one sentence or two: what is wrong, where (file, line or column), and what to do about it. The
    command line prints it on standard error and exits 2.
    """
