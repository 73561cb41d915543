"""Renders images in threads and child processes, within limits of time and memory. Knows no queue and no storage."""
