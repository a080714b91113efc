"""Commands: `python -m transfer_jax.tools.<name>`; thin, like `main`."""
