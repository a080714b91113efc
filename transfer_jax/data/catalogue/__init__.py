"""Where rows come from: one short file for each kind of raw folder."""
