"""Ratios, medians and the Markdown table."""

from statistics import median

from driver.workloads import IDLE_TARGET_KB, SYSCALL_TARGETS, timed


def good_rounds(rounds):
    return [result for result in rounds if "failure" not in result]


def middle(rounds, key):
    values = [result[key] for result in good_rounds(rounds)]
    return median(values) if values else None


def ratios(rounds, others, key):
    """Per round: rounds / others."""
    return [a[key] / b[key] for a, b in zip(rounds, others)
            if "failure" not in a and "failure" not in b and b[key] > 0]


def best_of(family, results):
    """The configuration of a program that costs least CPU per operation in this workload."""
    names = [name for name in results if name == family or name.startswith(family + "-")]
    names = [name for name in names if good_rounds(results[name])]
    return min(names, key=lambda name: middle(results[name], "cpu_us_per_op"), default=None)


def compare(results, ours, peer):
    """Per-round ratios of two peers in one workload, oriented as the targets are."""
    return {
        "cpu": ratios(results[peer], results[ours], "cpu_us_per_op"),
        "rate": ratios(results[ours], results[peer], "rate"),
        "p50": ratios(results[ours], results[peer], "p50_ns"),
        "p99": ratios(results[ours], results[peer], "p99_ns"),
    }


def meets(key, value, target):
    return value <= target if key == "p99" else value >= target


def verdicts(workload, comparison):
    """[(key, target, value, met)] of one workload's targets."""
    found = []
    for key, target in workload.targets.items():
        if comparison[key]:
            value = median(comparison[key])
            found.append((key, target, value, meets(key, value, target)))
    return found


def spread(values, digits=2):
    if not values:
        return "–"
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def row(*cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def table(header, rows):
    return "\n".join([row(*header), row(*["---"] * len(header)), *(row(*r) for r in rows)])


def number(value, digits=1):
    return "–" if value is None else f"{value:.{digits}f}"


def rate_text(workload, value):
    if value is None:
        return "–"
    return f"{value:.2f} GB/s" if workload.per_byte else f"{value:,.0f}/s"


def cost_text(workload, value):
    if value is None:
        return "–"
    return f"{value / 1000:.1f} ms/GB" if workload.per_byte else f"{value:.2f} µs"


def target_text(workload):
    names = {"cpu": "CPU ≥ ", "rate": "rate ≥ ", "p99": "p99 ≤ "}
    return ", ".join(names[key] + f"{value:g}" for key, value in workload.targets.items()) or "–"


def targets_table(data):
    """Fairlead against the better HAProxy configuration; empty without the two."""
    rows = []
    for name, results in data["timed"].items():
        workload = timed(name)
        peer = best_of("haproxy", results)
        if "fairlead" not in results or peer is None:
            continue
        comparison = compare(results, "fairlead", peer)
        found = verdicts(workload, comparison)
        met = "–" if not found else "yes" if all(v[3] for v in found) else "no"
        if workload.targets and len(found) < len(workload.targets):
            met = "no (failed)"
        rows.append([name, peer, spread(comparison["cpu"]), spread(comparison["rate"]),
                     spread(comparison["p99"]), target_text(workload), met])
    idle = data["idle"].get("fairlead", {}).get("kb_per_connection")
    if idle is not None:
        rows.append(["idle", "", f"{idle:.3f} KB per connection", "", "", f"≤ {IDLE_TARGET_KB} KB",
                     "yes" if idle <= IDLE_TARGET_KB else "no"])
    for name, target in SYSCALL_TARGETS.items():
        calls = data["syscalls"].get("fairlead", {}).get(name, {}).get("per_operation")
        if calls is not None:
            rows.append([f"system calls, {name}", "", f"{calls:.3f} per operation", "", "",
                         f"≤ {target:g}", "yes" if calls <= target else "no"])
    if not rows:
        return ""
    header = ["workload", "HAProxy as", "CPU: HAProxy ÷ Fairlead", "rate: Fairlead ÷ HAProxy",
              "p99: Fairlead ÷ HAProxy", "target", "met"]
    return "## Targets\n\n" + table(header, rows) + "\n\n"


def measured_table(data):
    """All peers in absolute numbers, and their ratios to the reference."""
    reference = data["reference"]
    rows = []
    for name, results in data["timed"].items():
        workload = timed(name)
        for peer, rounds in results.items():
            failures = [result["failure"] for result in rounds if "failure" in result]
            if failures and not good_rounds(rounds):
                rows.append([name, peer, "failed: " + failures[0][:120]] + [""] * 6)
                continue
            comparison = compare(results, reference, peer)
            latency = [number((middle(rounds, key) or 0) / 1000) if not workload.per_byte else "–"
                       for key in ("p50_ns", "p99_ns")]
            note = f" ({len(failures)} of {len(rounds)} rounds failed)" if failures else ""
            rows.append([name, peer + note, cost_text(workload, middle(rounds, "cpu_us_per_op")),
                         spread(comparison["cpu"]), rate_text(workload, middle(rounds, "rate")),
                         spread(comparison["rate"]), *latency, spread(comparison["p99"])])
    if not rows:
        return ""
    header = ["workload", "proxy", "CPU per operation", f"CPU: proxy ÷ {reference}", "rate",
              f"rate: {reference} ÷ proxy", "p50 µs", "p99 µs", f"p99: {reference} ÷ proxy"]
    return "## Measured\n\n" + table(header, rows) + "\n\n"


def idle_table(data):
    rows = []
    for peer, result in data["idle"].items():
        if "failure" in result:
            rows.append([peer, "failed: " + result["failure"][:120], "", ""])
        else:
            rows.append([peer, f"{result['connections']:,}", f"{result['before_kb']:,} KB",
                         f"{result['kb_per_connection']:.2f} KB"])
    if not rows:
        return ""
    header = ["proxy", "idle connections", "VmRSS before", "VmRSS per connection"]
    return "## User memory\n\n" + table(header, rows) + "\n\n"


def syscalls_table(data):
    rows = []
    for peer, results in data["syscalls"].items():
        cells = [peer]
        for name in SYSCALL_TARGETS:
            result = results[name]
            names = list(result["strace"].get("by_name", {}).items())[:5]
            total = max(1, result["strace"].get("calls", 1))
            shares = ", ".join(f"{call} {count / total:.0%}" for call, count in names)
            cells += [number(result.get("per_operation"), 2), shares]
        rows.append(cells)
    if not rows:
        return ""
    header = ["proxy", "per request (rr64)", "of which, under strace", "per connection (crr64)",
              "of which, under strace"]
    return "## System calls\n\n" + table(header, rows) + "\n\n"


def foreign_share(data):
    """Median share of the proxy's CPU that went to something else than the proxy under test."""
    shares = [(result["cpu_busy_ns"] - result["process_ns"]) / result["elapsed_ns"]
              for results in data["timed"].values() for name, rounds in results.items()
              if name != "nftables" for result in good_rounds(rounds)]
    return max(0.0, median(shares)) if shares else None


def conditions(data):
    lines = [f"- {name}: {version}" for name, version in data["versions"].items()]
    lines.append(f"- machine: {data['machine']}")
    lines.append(f"- method: {data['rounds']} interleaved rounds (A B C, C B A) of {data['seconds']} s"
                 f" slices after {data['warm_up']} s of warm-up; client and server on CPU "
                 f"{data['load_cpu']}, proxy alone on CPU {data['proxy_cpu']}; congestion control "
                 "reno; payloads verified (every byte of answers; of bulk the first 64 MiB of a "
                 "stream, then one read in eight)")
    lines.append("- CPU per operation: schedstat of all threads of the proxy; nftables has no process: "
                 "all busy time of the proxy's CPU, with packets steered to it")
    lines.append("- ratios: median of per-round ratios (smallest–largest)")
    foreign = foreign_share(data)
    if foreign is not None:
        noise = " (**not a quiet machine: do not publish**)" if foreign > 0.1 else ""
        lines.append(f"- busy with something else on the proxy's CPU: {foreign:.0%}{noise}")
    return "\n".join(lines) + "\n\n"


def markdown(data):
    return (f"# SNAT benchmark, {data['date']}\n\n" + conditions(data) + targets_table(data) +
            measured_table(data) + idle_table(data) + syscalls_table(data))
