"""What every HTTP door needs: how endpoints are described, requests read, answers and problems written, URLs made.

It has no routes of its own, and imports none of the doors.
"""
