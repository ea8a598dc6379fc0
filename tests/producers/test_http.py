"""The HTTP client: patience, pace, budget, and silence about secrets."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import stamina
from pydantic import SecretStr

from producers.config import HttpConfig
from producers.errors import (
    AuthenticationError,
    BudgetSpentError,
    DownloadFolderError,
    RateLimitedError,
    SourceError,
    UnexpectedAnswerError,
    UnreachableError,
)
from producers.http import HttpSource

URL = "https://upstream.example/api"
SECRET = "s3cret-key"
QUICK = HttpConfig(requests_per_minute=60_000, attempts=3, pause_seconds=0)

Handler = Callable[[httpx.Request], httpx.Response]


def source(handler: Handler, config: HttpConfig = QUICK) -> HttpSource:
    return HttpSource(
        config,
        secret_headers={"x-key": SecretStr(SECRET)},
        transport=httpx.MockTransport(handler),
    )


def answers(*responses: httpx.Response) -> Handler:
    """These answers in turn; the last one again and again."""
    left = list(responses)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


def ok(body: object = None) -> httpx.Response:
    return httpx.Response(200, json=body or {"data": []})


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(500, text="oops"),
        httpx.Response(503, text="down"),
        httpx.Response(429),
        httpx.Response(200, text="<html>maintenance</html>"),
        httpx.Response(200, text='{"data": [{"na'),
    ],
    ids=["500", "503", "429", "html", "cut json"],
)
def test_passing_trouble_is_tried_again(trouble: httpx.Response) -> None:
    with source(answers(trouble, trouble, ok({"last_page": 1}))) as http:
        assert http.get_json(URL) == {"last_page": 1}
        assert http.requests_sent == 3


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (httpx.Response(503), UnreachableError),
        (httpx.Response(429), RateLimitedError),
        (httpx.Response(200, text="<html>"), UnreachableError),
    ],
    ids=["503", "429", "html"],
)
def test_lasting_trouble_ends_the_run_after_the_configured_attempts(
    trouble: httpx.Response, error: type[SourceError]
) -> None:
    with source(answers(trouble)) as http:
        with pytest.raises(error, match="Run again"):
            http.get_json(URL)
        assert http.requests_sent == 3


def test_a_download_that_cannot_be_written_names_the_folder_to_change(tmp_path: Path) -> None:
    answer = httpx.Response(200, content=b"release")
    with source(answers(answer)) as http, pytest.raises(DownloadFolderError, match="TMPDIR=<path>"):
        http.download(URL, tmp_path / "missing" / "release.csv")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_not_tried_again(status: int) -> None:
    with source(answers(httpx.Response(status, text="no"))) as http:
        with pytest.raises(AuthenticationError, match="key"):
            http.get_json(URL)
        assert http.requests_sent == 1


@pytest.mark.parametrize("status", [301, 400, 404, 410, 422])
def test_any_other_status_is_not_tried_again(status: int) -> None:
    response = httpx.Response(status, headers={"location": "https://elsewhere.example"})
    with source(answers(response)) as http:
        with pytest.raises(UnexpectedAnswerError, match=str(status)):
            http.get_json(URL)
        assert http.requests_sent == 1


def test_a_key_is_never_sent_to_the_host_of_a_redirect() -> None:
    asked: list[str] = []

    def moved(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(302, headers={"location": "https://elsewhere.example/api"})

    with source(moved) as http, pytest.raises(UnexpectedAnswerError, match=r"elsewhere\.example"):
        http.get_json(URL)
    assert asked == ["upstream.example"]


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://files.example/list.csv",
        "http://upstream.example/api",
        "https://upstream.example:8443/api",
        "https://upstream.example.evil.example/api",
        "https://upstream.example@evil.example/api",
    ],
)
def test_a_key_for_one_address_goes_nowhere_else(elsewhere: str) -> None:
    got: dict[str, str | None] = {}

    def handler(request: httpx.Request) -> httpx.Response:
        got[str(request.url)] = request.headers.get("x-key")
        if request.url.path == "/list.csv":
            return httpx.Response(302, headers={"location": "https://upstream.example/moved"})
        return ok()

    with HttpSource(
        QUICK,
        secret_headers={"x-key": SecretStr(SECRET)},
        secret_address="https://upstream.example",
        transport=httpx.MockTransport(handler),
    ) as http:
        http.get_json(URL)
        http.get_json(elsewhere)
    assert got.pop(URL) == SECRET
    assert set(got.values()) == {None}


def test_an_answer_is_given_with_status_headers_and_no_secret() -> None:
    refused = httpx.Response(422, text=f"not {SECRET}", headers={"X-Left": "3"})
    with source(answers(refused)) as http:
        answer = http.ask(URL, also={422})
        assert (answer.status, answer.value, answer.text) == (422, None, "not ***")
        assert answer.headers["x-left"] == "3"
        with pytest.raises(UnexpectedAnswerError, match="HTTP 422"):
            http.ask(URL)


def test_an_answer_that_says_when_to_come_back_is_waited_for() -> None:
    busy = httpx.Response(429, headers={"retry-after": "0"})
    with source(answers(busy, ok({"a": 1}))) as http:
        assert http.ask(URL, also={429}).value == {"a": 1}
    with source(answers(httpx.Response(429))) as http:
        assert http.ask(URL, also={429}).status == 429


def test_json_that_is_no_object_is_unexpected() -> None:
    response = httpx.Response(200, text="[1]")
    with source(answers(response)) as http, pytest.raises(UnexpectedAnswerError, match="list"):
        http.get_json(URL)


def test_retry_after_is_obeyed() -> None:
    limited = httpx.Response(429, headers={"retry-after": "1"})
    with stamina.set_testing(False), source(answers(limited, ok())) as http:
        started = time.monotonic()
        http.get_json(URL)
        assert time.monotonic() - started >= 1.0


@pytest.mark.parametrize("asked", ["3600", "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_a_wait_longer_than_configured_ends_the_run_at_once(asked: str) -> None:
    limited = httpx.Response(429, headers={"retry-after": asked})
    with source(answers(limited)) as http:
        with pytest.raises(RateLimitedError, match="longest_wait_seconds"):
            http.get_json(URL)
        assert http.requests_sent == 1


def test_retry_after_that_cannot_be_read_means_the_configured_pause() -> None:
    limited = httpx.Response(429, headers={"retry-after": "soon"})
    with source(answers(limited, ok({"last_page": 1}))) as http:
        assert http.get_json(URL) == {"last_page": 1}


def test_the_budget_counts_every_attempt() -> None:
    config = QUICK.model_copy(update={"max_requests": 2})
    with source(answers(httpx.Response(503)), config) as http:
        with pytest.raises(BudgetSpentError, match="max_requests"):
            http.get_json(URL)
        assert http.requests_sent == 2


def test_requests_keep_the_configured_pace() -> None:
    config = QUICK.model_copy(update={"requests_per_minute": 300})
    with source(answers(ok()), config) as http:
        started = time.monotonic()
        for _ in range(4):
            http.get_json(URL)
        assert time.monotonic() - started >= 3 * 60 / 300


def test_the_key_goes_out_in_lower_case_and_nowhere_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    headers: list[tuple[bytes, bytes]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        headers.extend(request.headers.raw)
        return httpx.Response(404, text=f"no such thing for key {SECRET}")

    with (
        caplog.at_level(logging.DEBUG),
        source(handler) as http,
        pytest.raises(UnexpectedAnswerError) as caught,
    ):
        http.get_json(f"https://user:{SECRET}@upstream.example/api", {"page": 2})
    assert (b"x-key", SECRET.encode()) in headers
    assert SECRET not in str(caught.value)
    assert SECRET not in "".join(
        record.getMessage() for record in caplog.records if record.name.startswith("producers")
    )
    assert "'page': 2" in caplog.text


@pytest.mark.parametrize("url", ["ftp://upstream.example/a", "http://", "https://[bad"])
def test_an_address_that_cannot_be_asked_names_the_configuration(url: str) -> None:
    with HttpSource(QUICK) as http, pytest.raises(SourceError, match="address"):
        http.get_json(url)


def test_an_unchanged_file_is_not_downloaded_again(tmp_path: Path) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.headers.get("if-none-match") == '"v1"':
            return httpx.Response(304, headers={"etag": '"v1"'})
        return httpx.Response(200, content=b"body", headers={"etag": '"v1"'})

    target = tmp_path / "file"
    with source(handler) as http:
        first = http.download(URL, target)
        assert (first.etag, first.bytes_received, target.read_bytes()) == ('"v1"', 4, b"body")
        target.unlink()
        second = http.download(URL, target, first.etag)
    assert second.not_modified
    assert not target.exists()


def test_a_download_reports_its_progress(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    handler = answers(httpx.Response(200, content=b"x" * 100_000))
    with HttpSource(
        QUICK,
        transport=httpx.MockTransport(handler),
        on_download=lambda done, expected: seen.append((done, expected)),
    ) as http:
        http.download(URL, tmp_path / "file")
    assert seen[-1] == (100_000, 100_000)


@contextmanager
def raw_server(*replies: bytes) -> Iterator[str]:
    """A server that sends these bytes, one reply a connection, and closes; then it is silent."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_connections: list[socket.socket] = []

    def serve() -> None:
        left = list(replies)
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.recv(65_536)
            if left:
                connection.sendall(left.pop(0))
                connection.close()
            else:
                open_connections.append(connection)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/file"
    finally:
        listener.close()
        for connection in open_connections:
            connection.close()


WHOLE = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789"


def test_a_connection_cut_in_the_middle_is_tried_again_from_the_start(tmp_path: Path) -> None:
    with raw_server(WHOLE[:-4], b"", WHOLE) as url, HttpSource(QUICK) as http:
        download = http.download(url, tmp_path / "file")
    assert download.bytes_received == 10
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_silence_counts_as_no_answer() -> None:
    config = QUICK.model_copy(update={"timeout_seconds": 0.2, "attempts": 2})
    with raw_server() as url, HttpSource(config) as http:
        with pytest.raises(UnreachableError, match="timed out"):
            http.get_json(url)
        assert http.requests_sent == 2


def test_a_port_nobody_listens_on_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    with HttpSource(QUICK) as http, pytest.raises(UnreachableError, match="refused"):
        http.get_json(url)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_names_its_variable(status: int) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(status))
    config = HttpConfig(requests_per_minute=60_000)
    with (
        HttpSource(config, key_variable="TOY_API_KEY", transport=transport) as http,
        pytest.raises(AuthenticationError, match="Check the key in TOY_API_KEY"),
    ):
        http.get_json("https://toy.example/x")
    with (
        HttpSource(config, transport=transport) as http,
        pytest.raises(AuthenticationError, match="needs no key"),
    ):
        http.get_json("https://toy.example/x")


def test_a_run_sends_no_more_requests_after_its_time() -> None:
    config = HttpConfig(requests_per_minute=60_000, longest_run_seconds=1e-9)
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json={}))
    with (
        HttpSource(config, transport=transport) as http,
        pytest.raises(BudgetSpentError, match="longest_run_seconds"),
    ):
        http.get_json("https://toy.example/x")


class _Endless(httpx.SyncByteStream):
    """A body of which a byte comes now and then, so that it is never silent and never over."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"{"
        while True:
            yield b" "


@pytest.mark.parametrize(
    "read",
    [
        lambda http, _: http.get_json(URL),
        lambda http, _: http.ask(URL),
        lambda http, path: http.download(URL, path),
    ],
    ids=["json", "ask", "download"],
)
def test_an_answer_that_never_ends_is_not_read_after_the_time_of_the_run(
    read: Callable[[HttpSource, Path], object], tmp_path: Path
) -> None:
    config = HttpConfig(requests_per_minute=60_000, longest_run_seconds=0.2)
    transport = httpx.MockTransport(lambda request: httpx.Response(200, stream=_Endless()))
    with (
        HttpSource(config, transport=transport) as http,
        pytest.raises(BudgetSpentError, match="longest_run_seconds"),
    ):
        read(http, tmp_path / "file")
