"""Emails: which addresses are allowed, the message, and the mailers that send it."""
