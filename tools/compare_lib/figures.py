"""From the figures of single runs to medians, ranges and ratios. Pure."""

import statistics

# (numerator, denominator, operation of each): targets as kvbench runs them.
RATIOS = (
    ("get ÷ echo", ("quorate", "get"), ("echo", "get")),
    ("get ÷ etcd", ("quorate", "get"), ("etcd", "get")),
    ("put ÷ etcd", ("quorate", "put"), ("etcd", "put")),
    ("get spread ÷ etcd", ("spread", "get"), ("etcd", "get")),
    ("put spread ÷ etcd", ("spread", "put"), ("etcd", "put")),
    ("put fsync ÷ buffered", ("quorate", "put"), ("buffered", "put")),
)
# Field of a run, and how a ratio of it is called.
MEASURES = (("rate", "rate"), ("p50_us", "p50"), ("p99_us", "p99"),
            ("server_cpu_us", "server CPU"))


class Spread:
    """Median, lowest and highest over the rounds."""

    def __init__(self, values):
        self.median = statistics.median(values)
        self.low, self.high = min(values), max(values)

    def as_json(self):
        return {"median": self.median, "low": self.low, "high": self.high}


def cell_of(run):
    """What is measured once a round."""
    return (run["series"], run["operation"], run["value_bytes"], run["clients"])


def by_cell(runs):
    """{cell: [run of each round, in order of rounds]}"""
    cells = {}
    for run in sorted(runs, key=lambda each: each["round"]):
        cells.setdefault(cell_of(run), []).append(run)
    return cells


def absolute(runs):
    """[(cell, {field: Spread})], cells in the order they were first measured in."""
    return [(cell, {field: Spread([run[field] for run in group]) for field, _ in MEASURES})
            for cell, group in by_cell(runs).items()]


def ratios(runs):
    """[(name, value bytes, clients, {measure: Spread})]: the ratio is taken in each round, between
    runs that were next to each other in time, and then the median of these ratios."""
    cells = by_cell(runs)
    found = []
    for name, above, below in RATIOS:
        for (series, operation, value_bytes, clients), group in cells.items():
            other = cells.get((*below, value_bytes, clients))
            if (series, operation) != above or other is None:
                continue
            of_round = {run["round"]: run for run in other}
            pairs = [(run, of_round[run["round"]]) for run in group if run["round"] in of_round]
            spreads = {}
            for field, label in MEASURES:
                values = [mine[field] / theirs[field] for mine, theirs in pairs if theirs[field]]
                if values:
                    spreads[label] = Spread(values)
            found.append((name, value_bytes, clients, spreads))
    return found


def plan(rounds, clients, value_bytes, series):
    """[(round, value bytes, clients, operation, series)]: everything once a round; those that are
    compared with each other directly one after another, each round beginning with another one."""
    runs = []
    for number in range(rounds):
        for size in value_bytes:
            for count in clients:
                for operation in ("get", "put"):
                    names = [name for name, operations in series if operation in operations]
                    turn = number % len(names)
                    runs.extend((number, size, count, operation, name)
                                for name in names[turn:] + names[:turn])
    return runs
