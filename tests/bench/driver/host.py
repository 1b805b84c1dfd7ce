"""What every run of the benchmarks says of its host, and where it keeps its results."""

import argparse
import fcntl
import json
import os
import sys

from driver.lab import command

BENCH = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
ROOT = os.path.dirname(os.path.dirname(BENCH))


def log(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def names(allowed):
    def parse(text):
        chosen = [name for name in text.split(",") if name]
        for name in chosen:
            if name not in allowed:
                raise argparse.ArgumentTypeError(f"\"{name}\" is none of {', '.join(allowed)}")
        return chosen
    return parse


def cache_directory():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = os.path.join(base, "fairlead-bench")
    os.makedirs(path, exist_ok=True)
    return path


def only_run(cache):
    """Waits until no other run is under way; the lock is held while the returned file is open."""
    lock = open(os.path.join(cache, "lock"), "w", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log("another run is under way; waiting for it")
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def commit():
    found = command("git", "-C", ROOT, "describe", "--always", "--dirty", check=False).strip()
    return found or "unknown"


def build_type(folder):
    try:
        with open(os.path.join(folder, "CMakeCache.txt"), encoding="utf-8") as file:
            for line in file:
                if line.startswith("CMAKE_BUILD_TYPE:"):
                    return f"build type {line.split('=', 1)[1].strip() or 'none'}"
    except OSError:
        pass
    return "build type unknown"


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    system = os.uname()
    return f"{models[0] if models else system.machine}, {os.cpu_count()} CPUs, Linux {system.release}"


def save(name, data, text, svg=None):
    """Keeps results/NAME.md, .json and, when there is a chart, .svg."""
    folder = os.path.join(BENCH, "results")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name)
    files = {".md": text, ".json": json.dumps(data, indent=1) + "\n"}
    if svg:
        files[".svg"] = svg
        files[".md"] += f"![CPU per operation]({name}.svg)\n"
    for suffix, content in files.items():
        with open(path + suffix, "w", encoding="utf-8") as file:
            file.write(content)
    log(f"saved {os.path.relpath(path, ROOT)}{', '.join(files)}")
