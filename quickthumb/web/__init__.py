"""The native HTTP API: reads requests, calls the service's verbs, presents the results. Uses neither Redis nor disk."""
