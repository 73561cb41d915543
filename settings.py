"""This deployment's values: NAME = value. The README's table lists every setting with its default.

The environment goes before this file: QUICKTHUMB_PORT=9000 beats PORT = 8000.
"""
