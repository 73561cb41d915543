"""Telling people: the email that is sent, to whom it may go, and the ways to send it."""
