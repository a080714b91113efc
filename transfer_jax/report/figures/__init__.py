"""Figures as PNG bytes; matplotlib is used here and nowhere else."""
