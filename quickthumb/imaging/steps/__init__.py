"""The steps of the pipeline, one operation a file; each returns the picture untouched where it isn't asked for."""
