"""Where pictures are made: threads and child processes, with bounds on time and memory. Knows no queue, no storage."""
