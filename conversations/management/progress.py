from django.core.management.base import OutputWrapper

BAR = 20  # characters


def count_of(number: int, noun: str) -> str:
    """Return `1 item` or `1,234 items`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def show_progress(stderr: OutputWrapper, text: str, *, fraction: float | None = None, ending: str = "\r") -> None:
    """Show the text if stderr is a terminal, after a bar for the fraction of the work that is done, if it is known.

    The next text replaces it and should not be shorter.
    """
    if stderr.isatty():
        if fraction is not None:
            text = f"[{'#' * round(BAR * fraction):{BAR}}] {fraction:4.0%} {text}"
        stderr.write(text, style_func=str, ending=ending)
        stderr.flush()
