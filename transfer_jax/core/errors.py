"""Errors that a person can act on: what is wrong, where, and what to do."""


class UserError(Exception):
    """A mistake of the user's: programs print it as one line and exit with code 2."""


class ConfigError(UserError):
    """The configuration is wrong: an unknown key, a wrong type, an option that nothing reads."""


class DataError(UserError):
    """The data are wrong: a missing file or column, an unreadable image, a damaged record."""


class CheckpointError(UserError):
    """A checkpoint or weight file does not hold what it should."""


class AnalysisError(UserError):
    """A comparison is impossible: NaN, too few positions, or missing stages."""


class DivergedError(UserError):
    """A training diverged: its loss, parameters or predictions stopped being finite numbers."""


class Interrupted(Exception):
    """The user asked a training to stop.

    Attributes:
      done: Number of steps that are finished.
    """

    def __init__(self, done: int) -> None:
        """Stores the number of steps that are finished."""
        super().__init__(f"stopped after step {done}")
        self.done = done
