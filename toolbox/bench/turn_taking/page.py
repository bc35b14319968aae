"""The report as one page that needs nothing else: targets, classes, curves, settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from toolbox.bench.turn_taking.charts import Bound, Series, chart, cumulative

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; margin: 1rem 0; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8884; vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
.met { color: #059669; } .missed { color: #dc2626; } .open { color: #888; }
svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: currentColor; } svg .small { font-size: 10px; }
svg .grid { stroke: #8883; } svg .bound { stroke: #888; stroke-dasharray: 4 4; }
figure { margin: 1.5rem 0; } figcaption { font-size: .9rem; opacity: .8; }
"""


def page(report: Mapping[str, Any]) -> str:
    """The whole HTML document of a `bench turn-taking` report."""
    machine = report["machine"]
    about = (
        f"Parley {report['parley']} · {report['started']} · {report['seconds']} s · {machine['cpu']}, "
        f"{machine['cores']} cores, {machine['memory_gb']} GB, Python {machine['python']} · "
        f"the {report['half']} half of the corpus, seed {report['seed']}"
    )
    how = "the engine alone, in virtual time" if report["mode"] == "pure" else "real processes, in real time"
    body = [
        f"<h1>Turn-taking</h1><p>{escape(about)}</p>",
        f"<p>Measured on {how}; speech to text: {escape(report['stt'])}.</p>",
        _settings(report["settings"]),
        "<h2>Targets</h2>",
        _targets(report["targets"]),
        *_latency_figures(report),
        "<h2>Classes</h2>",
        _classes(report["classes"]),
        _speculation(report["speculation"]),
    ]
    if report["mode"] == "real" and "pure" in report:
        pure = report["pure"]
        body += [
            "<h2>The engine alone, many cases</h2>",
            "<p>The same engine and settings in virtual time. Shares of one percent are judged here.</p>",
            _targets(pure["targets"]),
            _classes(pure["classes"]),
            _speculation(pure["speculation"]),
        ]
    if "sweep" in report:
        body += ["<h2>Settings swept</h2>", *_sweep(report["sweep"])]
    title = "Parley: turn-taking"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        + "\n".join(body)
        + "</body></html>\n"
    )


def verdict(row: Mapping[str, Any]) -> str:
    """A target's outcome in words."""
    if row["met"] is None:
        return "not measured"
    if row["met"]:
        return "met" if row["cases_enough"] else "met, by too few cases to show it"
    return f"missed by {row['missed_by']:g} {row['unit']}"


def _settings(settings: Mapping[str, Any]) -> str:
    if not settings:
        return "<p>All settings are the defaults.</p>"
    items = "".join(
        f"<li><code>{escape(str(name))}</code> = {escape(str(value))}</li>" for name, value in settings.items()
    )
    return f"<p>What differs from the default:</p><ul>{items}</ul>"


def _targets(rows: Iterable[Mapping[str, Any]]) -> str:
    lines = []
    for row in rows:
        css = "open" if row["met"] is None else "met" if row["met"] else "missed"
        lines.append(
            f"<tr><td>{escape(row['target'])}</td><td class=n>{row['bound']:g} {row['unit']}</td>"
            f"<td class=n>{_number(row['measured'])}</td><td class={css}>{escape(verdict(row))}</td></tr>"
        )
    head = "<tr><th>what</th><th>target</th><th>measured</th><th></th></tr>"
    return f"<table>{head}{''.join(lines)}</table>"


def _classes(classes: Mapping[str, Mapping[str, Any]]) -> str:
    rows = []
    for name, figures in classes.items():
        parts = []
        for key, value in figures.items():
            if key in {"n", "by_kind", "timings_ms"} or value is None:
                continue
            parts.append(f"{escape(key)} {_value(value)}")
        rows.append(f"<tr><td>{escape(name)}</td><td class=n>{figures['n']}</td><td>{'<br>'.join(parts)}</td></tr>")
    return f"<table><tr><th>class</th><th>cases</th><th>figures</th></tr>{''.join(rows)}</table>"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        if not value.get("n"):
            return "–"
        if "p50" not in value:
            return ", ".join(f"{escape(key)} {_value(each)}" for key, each in value.items())
        return f"p50 <b>{_number(value['p50'])}</b>, p95 <b>{_number(value['p95'])}</b>, most {_number(value['max'])}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " to ".join(_number(one) for one in value)
    return f"<b>{_number(value)}</b>"


def _speculation(figures: Mapping[str, Any]) -> str:
    return (
        f"<p>Speculation: {figures['turns']} turns, hit {_number(figures['hit_pct'])} %, "
        f"wasted requests {_number(figures['wasted_llm_requests_pct'])} %.</p>"
    )


def _latency_figures(report: Mapping[str, Any]) -> list[str]:
    latencies = report["latencies_ms"]
    response = chart(
        [Series("response", cumulative(latencies["response"]))],
        "response latency, ms",
        "complete utterances, %",
        bounds=[Bound(300, "p50 target"), Bound(450, "p95 target")],
        x_most=1000,
    )
    barge_in = chart(
        [Series("barge-in", cumulative(latencies["barge_in"]))],
        "barge-in, ms",
        "interruptions, %",
        bounds=[Bound(180, "p50 target"), Bound(260, "p95 target")],
        x_most=500,
    )
    return [
        _figure(response, "True end of speech to the first frame of the reply: share of utterances answered by then."),
        _figure(barge_in, "First sample of the interruption to the agent's silence."),
    ]


def _sweep(sweep: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    cut_offs = [
        (point["response_latency_ms"]["p50"], point["false_cutoff_pct"]["all_unfinished"], point["settings"])
        for point in sweep["endpointing"]
        if point["response_latency_ms"] and point["response_latency_ms"]["p50"] is not None
    ]
    stops = [
        (point["barge_in_ms"]["p50"], point["hiccup_pct"], point["settings"])
        for point in sweep["barge_in"]
        if point["barge_in_ms"] and point["barge_in_ms"]["p50"] is not None
    ]
    endpointing = Series(
        "settings", tuple((x, y) for x, y, _ in cut_offs), tuple(name for _, _, name in cut_offs), joined=False
    )
    classes = sorted({kind for _, shares, _ in stops for kind, share in shares.items() if share is not None})
    hiccups = [
        Series(kind, tuple(sorted((x, shares[kind]) for x, shares, _ in stops)), tuple("" for _ in stops))
        for kind in classes
    ]
    return [
        _figure(
            chart([endpointing], "response latency p50, ms", "false cut-offs at unfinished places, %"),
            "Each point is one set of endpointing settings: finalize after / complete / unfinished, in ms.",
        ),
        _figure(
            chart(hiccups, "barge-in p50, ms", "audible hiccups, %"),
            "Each point is one length of speech after which the agent pauses.",
        ),
    ]


def _figure(drawing: str, caption: str) -> str:
    return f"<figure>{drawing}<figcaption>{escape(caption)}</figcaption></figure>" if drawing else ""


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:g}" if isinstance(value, int | float) else escape(str(value))
