"""Lets one test body drive both of the official clients, which differ in `await` alone."""

from collections.abc import Awaitable, Callable, Iterator
from inspect import isawaitable
from typing import Any

from openai.pagination import AsyncConversationCursorPage

Run = Callable[[Awaitable[Any]], Any]


class Blocking:
    """The async client, or what was reached from it, used as the sync one is."""

    def __init__(self, target: Any, run: Run) -> None:
        self._target = target
        self._run = run

    def __getattr__(self, name: str) -> Any:
        return self._wrapped(getattr(self._target, name))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        result = self._target(*args, **kwargs)
        return self._wrapped(self._run(result) if isawaitable(result) else result)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._run(_all_of(self._target)))

    def _wrapped(self, value: Any) -> Any:
        module = type(value).__module__
        is_data = not module.startswith("openai") or module.startswith("openai.types")
        return value if is_data and not callable(value) else Blocking(value, self._run)


async def _all_of(page: AsyncConversationCursorPage[Any]) -> list[Any]:
    return [item async for item in page]
