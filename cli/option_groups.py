"""Options that several commands have in common, received as one value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Command = TypeVar("Command", bound=Callable[..., Any])
Option = Callable[[Command], Command]


def take_as_one(command: Command, options: Sequence[Option[Any]], name: str, kind: Any) -> Command:
    """Add options to a command, which receives their values as the argument ``name``, a named tuple ``kind``."""

    def with_one(**arguments: Any) -> Any:
        one = kind(**{field: arguments.pop(field) for field in kind._fields})
        return command(**{name: one}, **arguments)

    with_one.__name__, with_one.__doc__ = command.__name__, command.__doc__
    with_one.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    for option in reversed(options):
        with_one = option(with_one)
    return with_one  # type: ignore[return-value]
