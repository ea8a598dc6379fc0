"""How Java runs here: options of broker and registry, and the classes they start with."""

from pathlib import Path
from typing import Final, NamedTuple

_OPTIONS: Final = (
    "-XX:+UseSerialGC",
    # The first compiler only: half the processor time of a start, and on two cores the broker then
    # takes less per record (4-6 µs against 8-10 µs) over the first million records.
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Djava.net.preferIPv4Stack=true",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
)


class Classes(NamedTuple):
    """Classes of one program.

    Attributes:
        kept: File that an earlier start has kept; None: none.
        keep: File to keep them in when the program ends in order; None: nowhere.
    """

    kept: Path | None = None
    keep: Path | None = None


NO_CLASSES: Final = Classes()


def java_command(
    java: Path, megabytes: tuple[int, int], classes: Classes, *arguments: str
) -> list[str]:
    """Command of a Java program.

    Args:
        java: The Java program.
        megabytes: Its heap at the start, and at most.
        classes: What is kept of its classes.
        arguments: Further options, class path, main class and its arguments.
    """
    least, most = megabytes
    options = [f"-Xms{least}m", f"-Xmx{most}m", *_OPTIONS]
    if classes.kept is not None:
        options += [f"-XX:AOTCache={classes.kept}"]
    if classes.keep is not None:
        options.append(f"-XX:AOTCacheOutput={classes.keep}")
    return [str(java), *options, *arguments]
