"""What every HTTP door needs: how an endpoint is described, how bodies are read, how answers and problems are written.

It has no routes of its own, and knows none of the doors.
"""
