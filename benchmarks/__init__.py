"""Benchmarks of the imaging engine, side by side with sharp, and of the service. Each module says how to run it."""
