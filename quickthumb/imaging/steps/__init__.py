"""The steps of the pipeline. `imaging.pipeline` lists them in order."""
