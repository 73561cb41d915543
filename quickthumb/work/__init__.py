"""What a worker does: it claims what is due, runs the handler for it, and settles what came of it."""
