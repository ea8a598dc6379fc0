"""ClickHouse's HTTP interface as a process of its own: `python -m … PATH PORT`."""

import os
import sys

import clickhouse_connect

from tests.sink.http_server import Server


def main() -> None:
    path, port = sys.argv[1:]
    # Open all the time: otherwise each request would start the engine and stop it.
    engine = clickhouse_connect.get_client(interface="chdb", path=path)
    try:
        Server(path, os.environ["CLICKHOUSE_PASSWORD"], int(port)).serve_forever()
    finally:
        engine.close()


if __name__ == "__main__":
    main()
