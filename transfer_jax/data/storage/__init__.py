"""From a prepared folder to arrays: the manifest, the tables, and the records."""
