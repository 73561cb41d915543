"""Older APIs: programs written for other services work here if only the base URL is changed.

Each API is one module, which translates its requests into the verbs of the service. It imports neither the native API
in `web` nor another older API. `POST /images/` of the first QuickThumb is not here, because it is part of the native
API.
"""
