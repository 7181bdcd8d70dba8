"""Markdown tables: for eyes on a terminal, and for docs/benchmarks.md as they stand."""

import figures


def _markdown(head, rows):
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    # The first two columns are names, the others numbers.
    def line(cells):
        padded = [str(cell).ljust(width) if i < 2 else str(cell).rjust(width)
                  for i, (cell, width) in enumerate(zip(cells, widths))]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * width if i < 2 else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
    return "\n".join([line(head), "|" + "|".join(f" {each} " for each in rule) + "|",
                      *map(line, rows)]) + "\n"


def number(value):
    """Three significant digits, without exponents."""
    if value == 0:
        return "0"
    if abs(value) >= 10_000:
        return f"{value / 1000:.3g}k" if abs(value) < 1e6 else f"{value / 1e6:.3g}M"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _spread(spread):
    if spread is None:
        return "–"
    median, low, high = number(spread.median), number(spread.low), number(spread.high)
    return median if low == high else f"{median} ({low}–{high})"


def absolute(runs):
    head = ["target", "operation", "bytes", "clients", "a second", "p50 µs", "p99 µs",
            "server CPU µs"]
    return _markdown(head, [[*cell, *(_spread(spreads[field]) for field, _ in figures.MEASURES)]
                            for cell, spreads in figures.absolute(runs)])


def ratios(runs):
    head = ["ratio", "of", "bytes", "clients", *(label for _, label in figures.MEASURES)]
    rows = []
    for name, value_bytes, clients, spreads in figures.ratios(runs):
        what, of = name.split(" ", 1)
        rows.append([what, of, value_bytes, clients,
                     *(_spread(spreads.get(label)) for _, label in figures.MEASURES)])
    return _markdown(head, rows)
