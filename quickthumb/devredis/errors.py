"""What may keep the embedded Redis from starting."""


class RedisCannotStart(Exception):
    """The embedded Redis cannot be used here; the text is one sentence that says why and what to do."""
