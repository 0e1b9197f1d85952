"""The JSON of a Grafana dashboard: panels that show metrics of the catalogue, and nothing else.

Grafana 10.0 and later read it. No plugin and no data source of a fixed name is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from string import ascii_uppercase
from typing import Any, Final, NamedTuple

from prometheus_client.metrics import MetricWrapperBase

from tools.docs.metrics_page import Metric, metric_of

SCHEMA: Final = 38
"""Version of the JSON model (Grafana 10.0). Later ones are read as well: they migrate it."""
COLUMNS: Final = 24
"""Width of the grid."""
HEIGHT: Final = 8
"""Height of a panel, in units of the grid."""
STAT_HEIGHT: Final = 4

DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
FILTERS: Final = ("app", "tenant")
"""Labels that have a variable of their name."""
_RATE: Final = "[$__rate_interval]"
_UNITS: Final = (("_seconds", "s"), ("_bytes", "bytes"), ("_ratio", "percentunit"))
"""Units by the end of a metric's name."""
_PER_SECOND: Final = "cps"
_COUNT: Final = "short"


class Query(NamedTuple):
    """One query of a panel.

    Attributes:
        metric: a metric of the catalogue.
        by: labels that tell its lines apart.
        gauge: aggregation of a gauge.
        where: selectors beside those of the variables.
        legend: text of a line; by default the values of its labels.
        quantile: of a histogram.
        is_total: of a counter: True: what it counted in the range that is shown; False: per second.
    """

    metric: MetricWrapperBase
    by: tuple[str, ...] = ()
    gauge: str = "sum"
    where: str = ""
    legend: str = ""
    quantile: float = 0.99
    is_total: bool = False

    @property
    def expr(self) -> str:
        """The query in PromQL."""
        known = metric_of(self.metric)
        selector = f"{{{', '.join(_selectors(known, self.where))}}}" if any(_selectors(known, self.where)) else ""
        by = f" by ({', '.join(self.by)})" if self.by else ""
        match known.kind:
            case "counter" if self.is_total:
                return f"sum{by} (increase({known.name}{selector}[$__range]))"
            case "counter":
                return f"sum{by} (rate({known.name}{selector}{_RATE}))"
            case "histogram":
                lines = f"sum by ({', '.join(('le', *self.by))}) (rate({known.name}_bucket{selector}{_RATE}))"
                return f"histogram_quantile({self.quantile:g}, {lines})"
            case _:
                return f"{self.gauge}{by} ({known.name}{selector})"

    @property
    def unit(self) -> str:
        """The unit of its values, as Grafana names it."""
        known = metric_of(self.metric)
        found = next((unit for end, unit in _UNITS if known.name.endswith(end)), _COUNT)
        return _PER_SECOND if known.kind == "counter" and not self.is_total else found

    @property
    def title(self) -> str:
        """The text of its lines."""
        return self.legend or " · ".join(f"{{{{{label}}}}}" for label in self.by) or metric_of(self.metric).name


def _selectors(metric: Metric, where: str) -> Iterator[str]:
    yield from (f'{label}=~"${label}"' for label in FILTERS if label in metric.labels)
    if where:
        yield where


class Panel(NamedTuple):
    """One panel: lines over time, or the value of now.

    Attributes:
        kind: `timeseries`, or `stat` for one number.
        width: in columns of the grid.
        bad_from: value from which on a stat is red.
    """

    title: str
    queries: tuple[Query, ...]
    kind: str = "timeseries"
    width: int = 8
    bad_from: float = 1

    @property
    def about(self) -> str:
        """The text of its metrics, each once."""
        return "\n\n".join(dict.fromkeys(metric_of(query.metric).about for query in self.queries))


class Row(NamedTuple):
    """A part of the pipeline. `collapsed`: its panels are shown, and asked for, on a click."""

    title: str
    panels: Sequence[Panel]
    collapsed: bool = True


def panel(*queries: Query, title: str, width: int = 8) -> Panel:
    """Return lines over time."""
    return Panel(title, queries, width=width)


def stat(query: Query, *, title: str, bad_from: float = 1) -> Panel:
    """Return one number, red from `bad_from` on."""
    return Panel(title, (query,), "stat", 4, bad_from)


def dashboard(uid: str, title: str, rows: Iterable[Row]) -> dict[str, Any]:
    """Return the JSON model."""
    return {
        "uid": uid,
        "title": title,
        "tags": [uid],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": []},
        "links": [],
        "templating": {"list": [_datasource(), *map(_variable, FILTERS)]},
        "panels": list(_placed(rows)),
    }


def _datasource() -> dict[str, Any]:
    return {"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus", "refresh": 1}


def _variable(label: str) -> dict[str, Any]:
    query = f'label_values({{__name__=~"pipeline_.+"}}, {label})'
    return {
        "type": "query",
        "name": label,
        "label": label.capitalize(),
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "options": [],
    }


def _placed(rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """Yield rows and panels with their places in the grid. Those of a collapsed row are in it."""
    number, y = 1, 0
    for row in rows:
        header = {"id": number, "type": "row", "title": row.title, "collapsed": row.collapsed, "panels": []}
        found = list(_in_grid(row.panels, number + 1, y + 1))
        number += 1 + len(found)
        yield {**header, "gridPos": _grid(0, y, COLUMNS, 1), "panels": found if row.collapsed else []}
        y += 1
        if not row.collapsed:
            yield from found
            y = max(each["gridPos"]["y"] + each["gridPos"]["h"] for each in found)


def _in_grid(panels: Iterable[Panel], number: int, y: int) -> Iterator[dict[str, Any]]:
    x = height = 0
    for each in panels:
        if x + each.width > COLUMNS:
            x, y = 0, y + height
        height = STAT_HEIGHT if each.kind == "stat" else HEIGHT
        yield _panel(each, number, _grid(x, y, each.width, height))
        x, number = x + each.width, number + 1


def _grid(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    is_stat = panel.kind == "stat"
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": DATASOURCE,
        "gridPos": place,
        "targets": [
            _target(each, ref, instant=is_stat) for ref, each in zip(ascii_uppercase, panel.queries, strict=False)
        ],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _STAT if is_stat else _LINES,
    }


def _target(query: Query, ref: str, *, instant: bool) -> dict[str, Any]:
    about = {"refId": ref, "datasource": DATASOURCE, "editorMode": "code", "range": not instant, "instant": instant}
    return {**about, "expr": query.expr, "legendFormat": query.title}


def _defaults(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.queries[0].unit, "min": 0}
    if panel.kind == "stat":
        steps = [{"color": "green", "value": None}, {"color": "red", "value": panel.bad_from}]
        return {**defaults, "noValue": "0", "thresholds": {"mode": "absolute", "steps": steps}}
    return {**defaults, "custom": {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 5, "showPoints": "never"}}


_LINES: Final = {
    "legend": {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull", "max"]},
    "tooltip": {"mode": "multi", "sort": "desc"},
}
_STAT: Final = {
    "colorMode": "background",
    "graphMode": "none",
    "justifyMode": "auto",
    "orientation": "auto",
    "textMode": "value",
    "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
}
