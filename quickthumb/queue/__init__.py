"""The queue, and the status of every item in it, in Redis.

Nothing here knows HTTP, images or the disk. `keys` names all Redis keys, `connection` makes all connections, and every
change of status is one atomic script.
"""
