"""What everything stands on: errors, files, random streams, the device mesh, lazy registries. JAX and NumPy only."""
