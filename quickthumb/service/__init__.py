"""The verbs: submit, find, wait, list, open, remove, run. Doors call these; these call the parts below.

Nothing here knows HTTP or arq, and nothing below knows another part: this is where they meet.
"""
