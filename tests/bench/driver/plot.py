"""A bar chart of the CPU ratios as SVG, written by hand: no library needed."""

from statistics import median
from xml.sax.saxutils import escape

from driver import report
from driver.workloads import timed

WIDTH, LEFT, RIGHT, BAR, GAP = 760, 190, 70, 16, 12
COLORS = ("#b85c38", "#d9a05b", "#5c7f67", "#8a8a8a", "#4a6fa5")


def svg(data):
    """CPU per operation of each proxy divided by the reference's, a whisker for the spread."""
    reference = data["reference"]
    rows = []
    for name, results in data["timed"].items():
        bars = []
        for peer in results:
            values = report.compare(results, reference, peer)["cpu"]
            if values:
                bars.append((peer, median(values), min(values), max(values)))
        target = timed(name).targets.get("cpu") if reference == "fairlead" else None
        rows.append((name, bars, target))
    longest = max([bar[3] for _, bars, _ in rows for bar in bars] + [1.0])
    scale = (WIDTH - LEFT - RIGHT) / longest
    colors = {}
    parts, y = [], 48
    for name, bars, target in rows:
        parts.append(_text(12, y + BAR - 4, name, "font-weight='bold'"))
        top = y
        for peer, value, low, high in bars:
            color = colors.setdefault(peer, COLORS[len(colors) % len(COLORS)])
            parts.append(_bar(y, peer, value, low, high, scale, color))
            y += BAR + 2
        if target:
            parts.append(_line(LEFT + target * scale, top - 2, LEFT + target * scale, y, "#c00"))
        y += GAP
    parts.append(_line(LEFT + scale, 40, LEFT + scale, y - GAP, "#333", "4 3"))
    title = f"CPU per operation ÷ {reference} ({data['date']}; red: target)"
    return (f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{y + 8}' "
            "font-family='sans-serif' font-size='12'>"
            f"<rect width='{WIDTH}' height='{y + 8}' fill='white'/>"
            + _text(12, 24, title, "font-size='15'") + "".join(parts) + "</svg>\n")


def _bar(y, peer, value, low, high, scale, color):
    middle = y + BAR / 2
    return (f"<rect x='{LEFT}' y='{y}' width='{value * scale:.1f}' height='{BAR}' fill='{color}'/>"
            + _text(LEFT - 6, y + BAR - 4, peer, "text-anchor='end'")
            + _line(LEFT + low * scale, middle, LEFT + high * scale, middle, "#222")
            + _text(LEFT + high * scale + 5, y + BAR - 4, f"{value:.2f}"))


def _text(x, y, text, style=""):
    return f"<text x='{x:.1f}' y='{y:.1f}' fill='#222' {style}>{escape(text)}</text>"


def _line(x1, y1, x2, y2, color, dashes=""):
    style = f" stroke-dasharray='{dashes}'" if dashes else ""
    return (f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{color}'"
            f" stroke-width='1.5'{style}/>")
