"""Alerting: rules that are data, looked at every few seconds by one process, and told as events."""
