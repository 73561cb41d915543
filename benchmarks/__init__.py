"""Measurements of the imaging engine, side by side with sharp. Run with `python -m benchmarks.compare`."""
