"""What looks inside networks."""
