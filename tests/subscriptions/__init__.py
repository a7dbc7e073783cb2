"""Stored subscriptions: matching, addresses, deliveries."""
