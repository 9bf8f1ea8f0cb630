"""Options from a TOML file, each with the name it has on the command line, which has the last word."""

from __future__ import annotations

import difflib
import re
import sys
from pathlib import Path
from typing import Any

import click

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def _read(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    if path is None:
        return
    try:
        text = path.read_text(encoding="utf-8-sig")
        given = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise click.UsageError(f"--options {path}: {error}") from None
    context.default_map = dict(context.default_map or {})
    for field, value in given.items():
        place = f"--options {path}, line {_line_of(field, text)}: {field}"
        target = _parameter(context.command, field, place)
        try:
            context.default_map[str(target.name)] = converted(target, value, context)
        except click.BadParameter as error:
            raise click.UsageError(f"{place}: {error.message}") from None


def _line_of(field: str, text: str) -> int:
    """TOML's reader says where syntax is wrong, but not where a value stood."""
    pattern = re.compile(rf"""\s*(\[+\s*)?["']?{re.escape(field)}["']?\s*[=.\]]""")
    return next((number for number, line in enumerate(text.splitlines(), start=1) if pattern.match(line)), 1)


def _parameter(command: click.Command, field: str, place: str) -> click.Parameter:
    parameters = {}
    for parameter in command.params:
        if not parameter.is_eager:
            names = [str(parameter.name)] if isinstance(parameter, click.Argument) else parameter.opts
            parameters.update({name.lstrip("-"): parameter for name in names})
    if field not in parameters:
        near = difflib.get_close_matches(field, parameters, 1)
        raise click.UsageError(f"{place}: no such option" + (f"; did you mean {near[0]}?" if near else ""))
    return parameters[field]


def converted(parameter: click.Parameter, value: Any, context: click.Context) -> Any:
    """A value of a TOML or JSON file as the command line would have it.

    Raises
    ------
    click.BadParameter
        If it cannot be that of the parameter.
    """
    is_flag = isinstance(parameter, click.Option) and parameter.is_flag
    if is_flag and not isinstance(value, bool):
        raise click.BadParameter(f"expected true or false, got {value!r}")
    if isinstance(value, (bool, dict)) and not is_flag:
        raise click.BadParameter(f"expected a value, got {value!r}")
    if isinstance(parameter.type, click.Path) and parameter.nargs == 1 and not isinstance(value, str):
        raise click.BadParameter(f"expected a file name, got {value!r}")
    if parameter.nargs == -1 and isinstance(value, str):
        value = [value]
    try:
        return parameter.type_cast_value(context, value)
    except (TypeError, ValueError, OverflowError):  # click converts strings, and leaves lists and dates to Python
        raise click.BadParameter(f"expected {parameter.type.name}, got {value!r}") from None


options_file = click.option(
    "--options",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.TOML",
    is_eager=True,
    expose_value=False,
    callback=_read,
    help="Options from a file, such as rotate = 15; those given here go before them.",
)
