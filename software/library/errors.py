"""Errors beside bad values, which are `ValueError` with a sentence that names value and rule."""


class SetupError(RuntimeError):
    """Something that this machine lacks or a build that failed; the sentence says what to do."""


class LinkError(RuntimeError):
    """A board that does not answer, or not as it must; the sentence says which and how."""


class SimulationError(RuntimeError):
    """A simulated design broke a rule of its buses, did not finish, or reported an error."""
