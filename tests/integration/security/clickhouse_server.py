"""ClickHouse's HTTPS interface as a process of its own: `python -m … PATH PORT SERVER_FILE`."""

import os
import sys
from pathlib import Path

import clickhouse_connect

from tests.integration.security.secured_stack import server_context
from tests.sink.http_server import Server


def main() -> None:
    path, port, server_file = sys.argv[1:]
    context = server_context(Path(server_file))
    # Open all the time: otherwise each request would start the engine and stop it.
    engine = clickhouse_connect.get_client(interface="chdb", path=path)
    try:
        Server(path, os.environ["CLICKHOUSE_PASSWORD"], int(port), context).serve_forever()
    finally:
        engine.close()


if __name__ == "__main__":
    main()
