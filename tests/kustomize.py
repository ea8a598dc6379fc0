"""What renders the manifests for the tests that check them."""

import os
import shutil

VARIABLE = "KUSTOMIZE_REQUIRED"
"""Set where a missing tool is a failure: continuous integration has one."""

HOW_TO_GET = (
    "neither kustomize nor kubectl on the path: install kubectl 1.27 or newer, or kustomize 5, to "
    "run the tests marked `kustomize`"
)


def build_command() -> list[str] | None:
    """What renders the folder it is given; None: there is nothing that does."""
    for program, *arguments in (("kustomize", "build"), ("kubectl", "kustomize")):
        path = shutil.which(program)
        if path is not None:
            return [path, *arguments]
    return None


def required() -> bool:
    """Whether a missing tool is a failure."""
    return bool(os.environ.get(VARIABLE))
