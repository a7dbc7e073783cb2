"""Tests of the pipeline's rooms but the store: events, catalogue, settings, bus, traces."""
