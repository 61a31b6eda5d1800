"""`python -m sentinel` is the `sentinel` command."""
from sentinel.cli.main import app

app(prog_name="sentinel")
