"""Two finished runs, or weight files, beside each other."""
