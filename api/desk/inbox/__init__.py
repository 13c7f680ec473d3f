"""Mails that come in: read, judged, and made into tickets and messages."""
