"""Shared by all HTTP APIs: describing endpoints, reading requests, writing responses and problems, building URLs.

It has no routes of its own, and imports neither `web` nor `compat`.
"""
