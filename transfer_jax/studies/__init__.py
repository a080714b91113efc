"""Studies: what is compared with what, run, tabled and drawn."""
