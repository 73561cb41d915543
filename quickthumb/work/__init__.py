"""What a worker does: it claims items that are due, runs their handlers, and settles the attempts."""
