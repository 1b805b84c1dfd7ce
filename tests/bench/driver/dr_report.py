"""The rows of the direct-routing benchmark: what each measures, and what Fairlead is held to."""

from dataclasses import dataclass
from statistics import median
from typing import Callable

from driver.report import table


@dataclass(frozen=True)
class Figure:
    value: float
    rounds: tuple  # the figure of each round; empty where there is only one


@dataclass(frozen=True)
class Row:
    text: str
    part: str  # of run_dr
    figure: Callable  # data -> Figure
    unit: str = ""
    digits: int = 2
    at_most: float = None
    at_least: float = None

    def target(self):
        if self.at_most is not None:
            return f"≤ {self.at_most:g}{self.unit}"
        return f"≥ {self.at_least:g}{self.unit}" if self.at_least is not None else "–"

    def verdict(self, value):
        if self.at_most is not None:
            return "met" if value <= self.at_most else "missed"
        if self.at_least is not None:
            return "met" if value >= self.at_least else "missed"
        return "–"

    def number(self, value):
        return f"{value:.{self.digits}f}{self.unit}"


def net(name, program="fairlead"):
    """ns per packet above `return XDP_TX`: the quickest round of each, as what else runs on the
    machine only ever adds."""
    def figure(data):
        rounds = data["packets"]["rows"][name]
        return Figure(min(rounds[program]) - min(rounds["floor"]),
                      tuple(a - b for a, b in zip(rounds[program], rounds["floor"])))
    return figure


def net_ratio(name, other):
    def figure(data):
        numerator, denominator = net(name)(data), net(other)(data)
        return Figure(numerator.value / denominator.value,
                      tuple(a / b for a, b in zip(numerator.rounds, denominator.rounds)))
    return figure


def map_memory(data):
    return Figure(data["packets"]["map_bytes"] / 2**20, ())


ROWS = (
    Row("established packet, TCP over IPv4, 64 k flows", "packets", net("tcp4"), " ns", 1, at_most=20),
    Row("established packet, TCP over IPv6, 64 k flows", "packets", net("tcp6"), " ns", 1, at_most=20),
    Row("packet, UDP over IPv4, 64 k flows", "packets", net("udp4"), " ns", 1, at_most=20),
    Row("packet, UDP over IPv6, 64 k flows", "packets", net("udp6"), " ns", 1, at_most=20),
    Row("512 k flows ÷ 1 flow", "packets", net_ratio("tcp4-512k-flows", "tcp4-1-flow"),
        at_most=1.15),
    Row("new flow (SYN), IPv4", "packets", net("syn4"), " ns", 1, at_most=25),
    Row("new flow (SYN), IPv6", "packets", net("syn6"), " ns", 1, at_most=25),
    Row("new flow (SYN) in a slot that changed hands", "packets", net("dirty-syn4"), " ns", 1,
        at_most=80),
    Row("packet of a recorded flow in such a slot, 64 k flows", "packets", net("dirty-tcp4"), " ns",
        1),
    Row("for comparison: a program that swaps the MACs, no more", "packets", net("tcp4", "swap"),
        " ns", 1),
    Row("memory of all maps, 18 VIPs with 856 real servers", "packets", map_memory, " MiB", 1,
        at_most=32),
)


def spread(row, figure):
    if not figure.rounds:
        return "–"
    return (f"{row.number(median(figure.rounds))} ({row.number(min(figure.rounds))} to "
            f"{row.number(max(figure.rounds))})")


def rows_of(data):
    cells = []
    for row in ROWS:
        if row.part not in data:
            continue
        figure = row.figure(data)
        cells.append([row.text, row.number(figure.value), spread(row, figure), row.target(),
                      row.verdict(figure.value)])
    return cells


METHODS = {
    "packets": "ns per packet: BPF_PROG_TEST_RUN of {packets[repeat]:,} packets in each of "
               "{packets[rounds]} interleaved rounds on CPU {cpu}; a driver program makes the next "
               "packet and calls the measured one; less the same with a program that returns "
               "XDP_TX; figure: quickest round of each; spread: median (smallest to largest) of the "
               "rounds' differences; every packet checked to be forwarded",
}


def markdown(data):
    lines = [f"- {name}: {version}" for name, version in data["versions"].items()]
    lines.append(f"- machine: {data['machine']}")
    lines += [f"- {METHODS[part].format(**data)}" for part in METHODS if part in data]
    if data["quick"]:
        lines.append("- **a smoke test (--quick): too short to judge by**")
    header = ["figure", "measured", "spread over rounds", "target", ""]
    return (f"# Direct-routing benchmark, {data['date']}\n\n" + "\n".join(lines) + "\n\n"
            + table(header, rows_of(data)) + "\n")
