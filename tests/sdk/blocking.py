"""A synchronous wrapper of the official async client, so that one test can use both clients."""

from collections.abc import Awaitable, Callable, Iterator
from inspect import isawaitable
from typing import Any

from openai.pagination import AsyncConversationCursorPage

Run = Callable[[Awaitable[Any]], Any]


class Blocking:
    """The async client, or an object of it, with the interface of the sync client."""

    def __init__(self, target: Any, run: Run) -> None:
        self._target = target
        self._run = run

    def __getattr__(self, name: str) -> Any:
        return self._wrap(getattr(self._target, name))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        result = self._target(*args, **kwargs)
        return self._wrap(self._run(result) if isawaitable(result) else result)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._run(_read_all_pages(self._target)))

    def _wrap(self, value: Any) -> Any:
        module = type(value).__module__
        is_data = not module.startswith("openai") or module.startswith("openai.types")
        return value if is_data and not callable(value) else Blocking(value, self._run)


async def _read_all_pages(page: AsyncConversationCursorPage[Any]) -> list[Any]:
    return [item async for item in page]
