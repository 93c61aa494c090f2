from django.core.management.base import OutputWrapper


def show_progress(stderr: OutputWrapper, text: str, *, ending: str = "\r") -> None:
    """On a terminal only. The line is overwritten by the next one, which should not be shorter."""
    if stderr.isatty():
        stderr.write(text, style_func=str, ending=ending)
        stderr.flush()
