"""What everything stands on: errors, files, random streams, processes, the device mesh, options."""
