from django.core.management.base import OutputWrapper


def count_of(number: int, noun: str) -> str:
    """Return `1 item` or `1,234 items`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def show_progress(stderr: OutputWrapper, text: str, *, ending: str = "\r") -> None:
    """Show the text if stderr is a terminal. The next text replaces it and should not be shorter."""
    if stderr.isatty():
        stderr.write(text, style_func=str, ending=ending)
        stderr.flush()
