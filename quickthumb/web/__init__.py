"""The HTTP door: reads requests, calls the service's verbs, presents the answers. Touches neither Redis nor disk."""
