"""Pages from templates, and what every answer of the page carries."""

from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from streams.clickhouse.bounds import OutOfBoundsError
from streams.core.errors import SinkError
from streams.serve.addresses import PREFIX
from streams.serve.data_version import DataVersion
from streams.serve.page import words
from streams.serve.page.files_sent import address_of
from streams.serve.problems import (
    ProblemError,
    of_clickhouse,
    of_validation,
    wrong_parameters,
)

CONTENT_POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        # Plotly.js sets styles of its elements; MapLibre, in it, starts its workers from blobs.
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

_FILES: Final = {"css": "page.css", "js": "page.js", "plotly": "plotly.js"}


def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("streams.serve.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "number": words.number,
        "moment": words.moment,
        "value": words.value,
        "age": lambda value: words.age(value, datetime.now(UTC)),
        "until": lambda value: words.until(value, datetime.now(UTC)),
        "label": words.field_label,
        "readable": words.readable,
        "unit": words.unit_of,
        "rate": words.rate,
        "share": words.share,
        "seconds": words.span,
        "kind": lambda kind: words.KINDS.get(kind, kind),
    }
    found.globals |= {"api": PREFIX, "word_label": words.word_label}
    return found


_ENVIRONMENT: Final = _environment()


def figure_answer(figure: Any) -> Response:
    """A figure as Plotly.js reads it."""
    return Response(orjson.dumps(figure), 200, HEADERS, "application/json")


class Pages:
    """Makes answers of templates, and says on each how fresh the data are."""

    def __init__(self, version: DataVersion) -> None:
        self._version = version

    def answer(self, template: str, view: str, status: int = 200, **shown: Any) -> Response:
        """A page.

        Args:
            template: Its name.
            view: Which view it is, for the list of views.
            status: Status code.
            shown: What the template takes.
        """
        text = _ENVIRONMENT.get_template(template).render(
            shown,
            view=view,
            files={name: address_of(file) for name, file in _FILES.items()},
            stored_until=self._version.published_at,
            stale=self._version.problem,
        )
        return HTMLResponse(text, status, HEADERS)

    def text(self, template: str, **shown: Any) -> str:
        """A text that is no page of its own, such as a feed."""
        return _ENVIRONMENT.get_template(template).render(shown)

    def route(self, view: str) -> type[APIRoute]:
        """Class of routes whose errors are pages, too."""
        pages = self

        class PageRoute(APIRoute):
            def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
                handler = super().get_route_handler()

                async def handle(request: Request) -> Response:
                    try:
                        return await handler(request)
                    except ProblemError as error:
                        return pages._problem(view, error)
                    except OutOfBoundsError as error:
                        return pages._problem(
                            view, wrong_parameters([(error.parameter, error.allowed)])
                        )
                    except RequestValidationError as error:
                        return pages._problem(view, of_validation(error))
                    except SinkError as error:
                        problem = of_clickhouse(error)
                        if problem is None:
                            raise
                        return pages._problem(view, problem)

                return handle

        return PageRoute

    def _problem(self, view: str, error: ProblemError) -> Response:
        answer = self.answer("problem.html", view, error.status, problem=error)
        answer.headers.update(error.headers)
        return answer
