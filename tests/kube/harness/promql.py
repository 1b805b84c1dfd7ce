"""Queries of Prometheus against a metrics page: whether every metric and label that they name is there."""

import re

# Prometheus gives these to what it scrapes.
OF_THE_TARGET = {"instance", "job", "pod"}
SELECTOR = r"\b((?:fairlead|process)_[a-z_]+)(?:\{([^}]*)\})?"
GROUPING = r"\b(?:by|on|group_left)\s*\(([^)]*)\)"


def families(text):
    """{metric: its labels} of a metrics page; no labels of a family that has no sample yet."""
    found = {name: set() for name in re.findall(r"^# TYPE (\w+) ", text, re.M)}
    for name, labels in re.findall(r"^([a-z_]+)(?:\{(.*)\})? \S+$", text, re.M):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return found


def unknown_in(known_families, expression, *legends):
    """What an expression, or texts with {{label}} or {{ $labels.label }} about its result, name and
    the daemon does not have: words, or [] when all is well."""
    metrics = re.findall(SELECTOR, expression)
    if not metrics:
        return ["no metric of Fairlead"]
    found = []
    known = set(OF_THE_TARGET)
    for name, matchers in metrics:
        if name not in known_families:
            found.append(name)
            continue
        known |= known_families[name]
        found += [f"{name}{{{label}}}" for label in re.findall(r"(\w+)\s*(?:=|!)", matchers)
                  if label not in known_families[name]]
    for labels in re.findall(GROUPING, expression):
        found += [label for label in filter(None, re.split(r"[\s,]+", labels)) if label not in known]
    grouped = re.match(r"\w+ by \(([^)]*)\)", expression)
    left = set(re.split(r"[\s,]+", grouped[1])) if grouped else known
    for legend in legends:
        found += [f"{{{{{label}}}}}" for label in
                  re.findall(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}", legend) if label not in left]
    return found
