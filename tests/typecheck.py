"""The checker of types and shapes while testing: an int is a float, as in the rest of Python's
typing.
"""

from beartype import BeartypeConf, beartype

checker = beartype(conf=BeartypeConf(is_pep484_tower=True))
