"""Statistics of finished numbers, on the host: intervals, tests, subgroups, regression."""
