"""What a user can put right: told in one sentence, without a traceback."""


class UserMistake(Exception):
    """The command cannot go on; the text is one sentence for the user that says why."""
