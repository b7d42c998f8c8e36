"""Figures as people read them; an en dash where there is none. Pure."""


def signed(value: float | None, digits: int = 3) -> str:
    """With a true minus sign, in a width that lines up."""
    return "–" if value is None else f"{value:+.{digits}f}".replace("-", "−")


def share(value: float | None) -> str:
    """In per cent."""
    return "–" if value is None else f"{100 * value:.0f} %"
