"""Suggestions for misspelled parameters, for "Did you mean" in error messages."""

from collections.abc import Iterable

MAX_DISTANCE = 2


def did_you_mean(name: str, candidates: Iterable[str]) -> list[str]:
    """Return the candidates at an edit distance of at most 2, nearest first."""
    distances = {candidate: edit_distance(name, candidate) for candidate in candidates}
    return sorted((c for c, d in distances.items() if d <= MAX_DISTANCE), key=lambda c: (distances[c], c))


def edit_distance(a: str, b: str) -> int:
    """Return the Levenshtein distance, or a lower bound of it if the lengths differ by more than `MAX_DISTANCE`."""
    if abs(len(a) - len(b)) > MAX_DISTANCE:
        return abs(len(a) - len(b))
    previous = list(range(len(b) + 1))
    for i, left in enumerate(a, start=1):
        current = [i]
        for j, right in enumerate(b, start=1):
            current.append(min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (left != right)))
        previous = current
    return previous[-1]
