"""Older APIs: programs written for other services work here when nothing but the address is changed.

Each is one module, a translation onto the verbs of the service, and never imports the native API in `web`, nor another
of its kind. The first QuickThumb's `POST /images/` is not among them: it is the native one.
"""
