"""The app for a WSGI server: `gunicorn -c web/gunicorn_config.py web.wsgi:app`."""

from web import create_app

app = create_app()
