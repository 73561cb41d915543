"""The queue and the status of everything in it, in Redis.

Nothing here knows HTTP, images or the disk. All Redis keys are named in `keys`, all connections made in
`connection`, and every change of status is one atomic script.
"""
