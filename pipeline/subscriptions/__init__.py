"""Stored subscriptions: events that are carried to receivers outside, by signed webhooks and by e-mail."""
