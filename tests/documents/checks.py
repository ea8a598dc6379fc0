"""What can be wrong with a page: each check names every mistake it finds."""

import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import typer

from producers.__main__ import app as producers_cli
from producers.connectors import CONNECTORS
from producers.sandbox.settings import SandboxSettings
from streams.__main__ import app as streams_cli
from streams.settings import PROJECT_ROOT
from tests.documents.generated import EXPORTED_BY, parts_of
from tests.documents.pages import ROOMS, Page

Check = Callable[[Page], Iterator[str]]

FIGURES = PROJECT_ROOT / "tests/bench/FIGURES.md"
"""The one page that may have measured figures of its own."""

_FILE = re.compile(
    r"(?!/)(?:[\w./*{}<>-]*[\w*>]\.(?:py|md|ya?ml|avsc|json|csv|tsv|toml|lock|bin|txt)|[\w./-]+/)"
)
_TEST = re.compile(r"\btest_\w+")
_WORD = re.compile(r"(?<![\w\\])[A-Za-z_]\w{2,}")
_FIGURE = re.compile(r"(?<![\w.,])\d[\d,]*(?:\.\d+)?")
_SMALLEST_FIGURE = 100
_CONTROL = re.compile(r"/control/(\w+)")
_DECLARING = frozenset({".py", ".yaml", ".toml", ".avsc", ".txt", ".lock", ".csv", ""})
_LARGEST_FILE_BYTES = 400_000


def dead_links(page: Page) -> Iterator[str]:
    """Links to a file or a heading that does not exist."""
    for link in page.links:
        if "://" in link:
            continue
        target, _, anchor = link.partition("#")
        path = page.path.parent / target
        if not path.exists():
            yield f"{link}: no such file"
        elif anchor and anchor not in (Page.read(path) if target else page).anchors:
            yield f"{link}: no such heading"


def missing_files(page: Page) -> Iterator[str]:
    """Files and folders that no folder from the page's up to the project's has."""
    for span in page.spans:
        if not _FILE.fullmatch(span) or "<" in span or _TEST.match(span):
            continue
        places = [parent for parent in page.path.parents if parent.is_relative_to(PROJECT_ROOT)]
        if not any(next(place.glob(span.rstrip("/")), None) for place in places):
            yield f"{span}: no such file"


def missing_tests(page: Page) -> Iterator[str]:
    """Tests that the project does not have."""
    for span in page.spans:
        for name in _TEST.findall(span):
            if name not in _tests():
                yield f"{name}: no such test"


def unknown_names(page: Page) -> Iterator[str]:
    """Names that occur in no file of the project: settings, topics, rules, fields, modules."""
    known = _words() | {word.lower() for word in _WORD.findall(page.code)}
    for span in page.spans:
        for word in _WORD.findall(span):
            if word.lower() not in known:
                yield f"{word} in `{span}`: no such name"


def unknown_commands(page: Page) -> Iterator[str]:
    """Commands, options and variables that nothing answers to."""
    declared = re.compile("|".join(re.findall(r'name = "(\w+)"', page.text)) or "$^")
    for line in page.commands():
        # A page that adds a source may use it.
        for problem in _problems_of(declared.sub(next(iter(CONNECTORS)), line)):
            yield f"{line}: {problem}"


def unfounded_figures(page: Page) -> Iterator[str]:
    """Figures that neither code, configuration nor the page of measured figures has.

    Small whole numbers are part of a sentence and not looked at.
    """
    if page.path == FIGURES:
        return
    for text in _FIGURE.findall(page.own_text):
        figure = text.replace(",", "")
        if ("." in figure or int(figure) >= _SMALLEST_FIGURE) and figure not in _figures():
            yield f"{text}: no file has this figure"


def stale_parts(page: Page) -> Iterator[str]:
    """Generated parts that are not what their generator gives."""
    for name, text in parts_of(page).items():
        if page.parts[name] != text:
            yield f"{name}: not as generated, run `make pages`"


CHECKS: tuple[Check, ...] = (
    dead_links,
    missing_files,
    missing_tests,
    unknown_names,
    unknown_commands,
    unfounded_figures,
    stale_parts,
)


def _problems_of(line: str) -> Iterator[str]:
    typed = re.sub(r"^(?:[A-Z_]+=\S* +)+", "", line)
    program, _, arguments = typed.partition(" ")
    if program in _PROGRAMS and arguments:
        yield from _PROGRAMS[program](shlex.split(arguments))


_CONDITION = re.compile(r"\$\(if \$\((\w+)\),((?:[^()]|\$\(\w+\))*)\)")
"""What a recipe says where a variable is given."""


def _problems_of_make(words: list[str]) -> Iterator[str]:
    (target, *arguments), recipes = words, _recipes()
    if target not in recipes:
        if "<" not in target:
            yield f"make has no {target}"
        return
    given = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    runs = re.search(r"-m (streams|producers) (\S+)? ?(.*)", recipes[target])
    if runs is None:
        return
    written = f"{runs[2] or ''} {runs[3]}"
    for variable in set(given) - {*re.findall(r"\$\((\w+)\)", written)}:
        if variable.lower() not in _words():
            yield f"make {target} takes no {variable}"
    chosen = _CONDITION.sub(lambda match: match[2] if given.get(match[1]) else "", written)
    line = re.sub(r"\$\((\w+)\)", lambda match: given.get(match[1], ""), chosen)
    if given:
        yield from _problems_of_command(runs[1], shlex.split(line))


def _problems_of_python(words: list[str]) -> Iterator[str]:
    match words:
        case ["-m", "streams" | "producers" as package, *arguments]:
            yield from _problems_of_command(package, arguments)
        case ["-m", module, *_]:
            path = PROJECT_ROOT / module.replace(".", "/")
            if not path.is_dir() and not path.with_suffix(".py").is_file():
                yield f"no module {module}"


def _problems_of_faust(words: list[str]) -> Iterator[str]:
    module = words[words.index("-A") + 1]
    if not (PROJECT_ROOT / module.replace(".", "/")).with_suffix(".py").is_file():
        yield f"no module {module}"


def _problems_of_docker(words: list[str]) -> Iterator[str]:
    file = words[words.index("-f") + 1]
    if not (PROJECT_ROOT / file).is_file():
        yield f"no file {file}"


def _problems_of_curl(words: list[str]) -> Iterator[str]:
    for control in _CONTROL.findall(" ".join(words)):
        if control not in _controls():
            yield f"no control {control}"


_PROGRAMS: dict[str, Callable[[list[str]], Iterator[str]]] = {
    "make": _problems_of_make,
    "python": _problems_of_python,
    "faust": _problems_of_faust,
    "docker": _problems_of_docker,
    "curl": _problems_of_curl,
}


def _problems_of_command(package: str, arguments: list[str]) -> Iterator[str]:
    group = typer.main.get_group(streams_cli if package == "streams" else producers_cli)
    if not arguments or not re.fullmatch(r"[a-z_-]+", arguments[0]):
        return  # a place for any command
    command = group.commands.get(arguments[0])
    if command is None:
        yield f"python -m {package} has no {arguments[0]}"
        return
    options = {option for parameter in command.params for option in parameter.opts}
    for argument in arguments[1:]:
        if argument.startswith("--") and argument != "--" and argument.split("=")[0] not in options:
            yield f"{arguments[0]} has no option {argument}"
    allowed = sum(parameter.param_type_name == "argument" for parameter in command.params)
    if allowed == 0 and arguments[1:] and not any(word.startswith("-") for word in arguments[1:]):
        yield f"{arguments[0]} takes no {arguments[1]}"


@cache
def _recipes() -> dict[str, str]:
    """Recipe of each target that `make help` lists."""
    text = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")
    found = re.finditer(r"^([a-z-]+):[^\n]*?##[^\n]*\n((?:\t[^\n]*\n)*)", text, re.M)
    return {match[1]: match[2] for match in found}


@cache
def _controls() -> frozenset[str]:
    """Controls of the sandbox."""
    files = (PROJECT_ROOT / "producers/sandbox").glob("*.py")
    return frozenset(
        control for file in files for control in _CONTROL.findall(file.read_text(encoding="utf-8"))
    )


@cache
def _tests() -> frozenset[str]:
    """Names of test files and test functions."""
    files = [*(PROJECT_ROOT / "tests").rglob("test_*.py")]
    functions = [
        name
        for file in files
        for name in re.findall(r"def (test_\w+)", file.read_text(encoding="utf-8"))
    ]
    return frozenset([*(file.stem for file in files), *functions])


@cache
def _declaring_files() -> tuple[Path, ...]:
    """Files that names and figures come from: everything but pages, their checks and answers."""
    rooms = [path for room in ROOMS for path in (PROJECT_ROOT / room).rglob("*")]
    return tuple(
        path
        for path in (*PROJECT_ROOT.glob("*"), *rooms)
        if path.suffix in _DECLARING
        and not {"golden", "documents", "__pycache__"} & set(path.parts)
        and path.is_file()
        and path.stat().st_size < _LARGEST_FILE_BYTES
    )


@cache
def _words() -> frozenset[str]:
    found = {f"sandbox_{name}" for name in SandboxSettings.model_fields} | set(EXPORTED_BY)
    for path in _declaring_files():
        found.update(word.lower() for word in _WORD.findall(path.read_text(encoding="utf-8")))
        found.update(word.lower() for word in _WORD.findall(path.as_posix()))
    return frozenset(found)


@cache
def _figures() -> frozenset[str]:
    found: set[str] = set()
    for path in (*_declaring_files(), FIGURES):
        text = path.read_text(encoding="utf-8")
        found.update(re.sub("[,_]", "", one) for one in re.findall(r"\d[\d_,]*(?:\.\d+)?", text))
    return frozenset(found)
