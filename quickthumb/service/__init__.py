"""The verbs: submit, find, wait, page, download, cancel, retry, remove, send an email. The HTTP rooms call the verbs on
behalf of a caller, and the verbs call the rooms below.

Nothing here knows HTTP. The rooms below do not know each other; the verbs bring them together.
"""
