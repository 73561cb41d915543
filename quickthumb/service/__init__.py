"""The verbs: submit, find, wait, page, download, cancel, retry, remove, send an email. The doors call these, each on
behalf of a caller; these call the parts below.

Nothing here knows HTTP, and the parts below do not know each other: this is where they meet.
"""
