"""ASGI middleware: what goes around every answer."""
