"""Where images are rendered: in threads and child processes, bounded in time and memory. Knows no queue, no storage."""
