"""A laboratory for transfer learning in medical imaging, in JAX and Flax."""

__version__ = "0.1.0"
