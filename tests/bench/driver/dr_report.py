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


def rate(part, name):
    """Millions of packets per second."""
    def figure(data):
        rounds = tuple(value / 1e6 for value in data[part]["rates"][name])
        return Figure(median(rounds), rounds)
    return figure


def rate_ratio(part, name, other):
    """Of slices next to each other."""
    def figure(data):
        rates = data[part]["rates"]
        rounds = tuple(a / b for a, b in zip(rates[name], rates[other]))
        return Figure(median(rounds), rounds)
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
    Row("over veth, native: packets per second ÷ of a program that swaps the MACs", "native",
        rate_ratio("native", "fairlead", "swap"), at_least=0.95),
    Row("over veth, native: Fairlead", "native", rate("native", "fairlead"), " M/s"),
    Row("over veth, native: MAC swap", "native", rate("native", "swap"), " M/s"),
    Row("over veth, generic XDP: packets per second ÷ of nftables (ingress, jhash, fwd)", "generic",
        rate_ratio("generic", "fairlead", "nftables"), at_least=1.5),
    Row("over veth, generic XDP: packets per second ÷ of kernel forwarding", "generic",
        rate_ratio("generic", "fairlead", "ip_forward")),
    Row("over veth, generic XDP: Fairlead", "generic", rate("generic", "fairlead"), " M/s"),
    Row("connections broken by add, weight, drain, SIGTERM, kill -9, online, 20 ring swaps", "changes",
        lambda data: Figure(data["changes"]["broken"], ()), digits=0, at_most=0),
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
        is_judged = not (data["quick"] and figure.rounds)
        cells.append([row.text, row.number(figure.value), spread(row, figure), row.target(),
                      row.verdict(figure.value) if is_judged else "not judged"])
    return cells


METHODS = {
    "packets": "ns per packet: BPF_PROG_TEST_RUN of {packets[repeat]:,} packets in each of "
               "{packets[rounds]} interleaved rounds on CPU {cpu}, program loads: {packets[loads]}; a driver program makes the next "
               "packet and calls the measured one; less the same with a program that returns "
               "XDP_TX; figure: quickest round of each; spread: median (smallest to largest) of the "
               "rounds' differences; every packet checked to be forwarded",
    "native": "over veth, native: {native[packets]:,} packets of 64 k flows in each of "
              "{native[rounds]} rounds, in turns; the kernel generates, forwards, counts and drops "
              "them on CPU {cpu} alone; none may be lost",
    "generic": "over veth, generic: the same, as socket buffers",
    "changes": "changes: the daemon with three nginx in namespaces; {changes[long]} long connections "
               "with {changes[answers]:,} answers and {changes[short]:,} short ones, IPv4 and IPv6",
}


def markdown(data):
    lines = [f"- {name}: {version}" for name, version in data["versions"].items()]
    lines.append(f"- machine: {data['machine']}")
    lines += [f"- {METHODS[part].format(**data)}" for part in METHODS if part in data]
    if data["quick"]:
        lines.append("- a smoke test (--quick): too short to judge by")
    header = ["figure", "measured", "spread over rounds", "target", ""]
    return (f"# Direct-routing benchmark, {data['date']}\n\n" + "\n".join(lines) + "\n\n"
            + table(header, rows_of(data)) + "\n")
