"""One reader for each format that is accepted: from its first bytes to its size. `imaging.header` has the table."""
