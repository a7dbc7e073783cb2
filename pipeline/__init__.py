"""What happens to an event: its shape, its way onto the bus, its place in the store."""
