"""The worker's door: what arq calls, translated into the verbs of the service."""
