"""The connection to the database, with what SQLite and PostgreSQL each need."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from pipeline.errors import StoreUnavailable
from pipeline.settings import Settings

_BUSY_TIMEOUT_MS = 10_000
_CONNECT_TIMEOUT_SECONDS = 5
_STATEMENT_TIMEOUT_MS = 30_000
_POOL_TIMEOUT_SECONDS = 10


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


def _loads(value: Any) -> Any:
    # SQLite gives a JSON text that is a number back as a number.
    return orjson.loads(value) if isinstance(value, str | bytes) else value


def make_engine(settings: Settings) -> Engine:
    """An engine on the settings' database; nothing is connected yet."""
    url = settings.sqlalchemy_url
    if url.startswith("sqlite"):
        settings.home_path.mkdir(parents=True, exist_ok=True)
        engine = create_engine(
            url,
            json_serializer=_dumps,
            json_deserializer=_loads,
            connect_args={"timeout": _BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
        )
        _prepare_sqlite(engine)
        return engine
    return create_engine(
        url,
        json_serializer=_dumps,
        json_deserializer=_loads,
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=20,
        pool_timeout=_POOL_TIMEOUT_SECONDS,
        connect_args={
            "connect_timeout": _CONNECT_TIMEOUT_SECONDS,
            "options": f"-c timezone=utc -c statement_timeout={_STATEMENT_TIMEOUT_MS}",
        },
    )


def _prepare_sqlite(engine: Engine) -> None:
    """Readers beside one writer, writes that survive a power cut, and transactions that begin when we say."""

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        # A transaction that reads first and writes later cannot wait for another writer: it fails at once.
        writes = connection.get_execution_options().get("spanfeed_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


class Store:
    """The database of one process. Safe to use from several threads; a forked child connects anew."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        """Keeps two threads from making the engine of a new process twice."""
        self._engine: Engine | None = None
        self._pid = 0

    @property
    def engine(self) -> Engine:
        """The engine of this process."""
        with self._lock:
            if self._engine is None or self._pid != os.getpid():
                if self._engine is not None:
                    # The parent's connections stay the parent's: forget them without closing their sockets.
                    self._engine.dispose(close=False)
                self._engine, self._pid = make_engine(self.settings), os.getpid()
            return self._engine

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads. Raises StoreUnavailable."""
        with self._translated(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is committed when the block ends well. Raises StoreUnavailable."""
        with self._translated(), self.engine.connect() as connection:
            connection = connection.execution_options(spanfeed_writes=True)
            with connection.begin():
                yield connection

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, InterfaceError, PoolTimeoutError) as error:
            raise StoreUnavailable(f"the database did not answer: {type(error).__name__}") from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise StoreUnavailable("the connection to the database was lost") from error
            raise

    def ping(self) -> None:
        """Returns when the database answers."""
        with self.read() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Ends the connections of this process."""
        with self._lock:
            if self._engine is not None and self._pid == os.getpid():
                self._engine.dispose()
            self._engine = None


def open_store(settings: Settings) -> Store:
    """A store on the settings' database; nothing is connected yet."""
    return Store(settings)
