"""Errors that a person can act on: what is wrong, where, and what to do."""


class UserError(Exception):
    """A mistake in what the user gave. `main` and the tools print it as one line and exit with code 2."""


class ConfigError(UserError):
    """The configuration is wrong: an unknown key, a wrong type, an option that nothing reads."""


class DataError(UserError):
    """The data are wrong: a missing file or column, an unreadable image, a damaged record."""


class CheckpointError(UserError):
    """A checkpoint or weight file does not hold what is asked of it."""


class AnalysisError(UserError):
    """What is compared cannot be compared: NaN, too few positions, stages that are not there."""


class DivergedError(UserError):
    """A training diverged: its loss, parameters or predictions stopped being finite numbers."""


class Interrupted(Exception):
    """The user asked a training to stop, after `done` steps."""

    def __init__(self, done: int) -> None:
        """`done` steps are finished."""
        super().__init__(f"stopped after step {done}")
        self.done = done
