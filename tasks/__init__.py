"""What happens to a chat message: its stages as Celery tasks (`celery -A tasks`)."""
