"""The commands, applications and log lines that the documents show."""
