"""Boards as Grafana reads them: the one module that knows its SDK, a development tool."""

import json
from collections.abc import Iterator
from typing import Final

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import heatmap, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

from streams.reference.dashboards.board import Board, Chart, Drawing

_SOURCE: Final = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
_TAG: Final = "weir"
_RUNBOOKS: Final = "docs/operations.md"
_FIGURE_HEIGHT: Final = 4
_CHART_HEIGHT: Final = 8
_BARS: Final = {Drawing.BARS, Drawing.PILES}
_ADDED_UP: Final = {Drawing.AREAS, Drawing.PILES}
_FILL: Final = {Drawing.LINES: 5, Drawing.AREAS: 20, Drawing.BARS: 20, Drawing.PILES: 20}

_AnyPanel = stat.Panel | timeseries.Panel | table.Panel | heatmap.Panel
"""Whatever can be put on a dashboard; these builders have their methods in common."""


def json_of(board: Board) -> str:
    """Return the dashboard as the text of a file that Grafana provisions."""
    made = _without_panels(board)
    ids = iter(range(1, 1000))
    for section in board.sections:
        made.with_row(builders.Row(section.title).id(next(ids)))
        for chart in section.charts:
            made.with_panel(_panel(chart).id(next(ids)))
    whole = json.loads(JSONEncoder().encode(made.build()))
    for control in [*whole["links"], *whole["annotations"]["list"]]:
        del control["placement"]  # the SDK puts them all into a menu, where nobody sees them
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _without_panels(board: Board) -> builders.Dashboard:
    others = builders.DashboardLink("Weir").type(dashboard.DashboardLinkType.DASHBOARDS)
    return (
        builders.Dashboard(board.title)
        .uid(board.uid)
        .description(board.about)
        .tags([_TAG])
        .version(1)
        .readonly()
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .timezone("browser")
        .refresh("30s")
        .time("now-3h", "now")
        .timepicker(builders.TimePicker().refresh_intervals(["10s", "30s", "1m", "5m"]))
        .link(
            others.tags([_TAG])
            .as_dropdown(as_dropdown=False)
            .keep_time(keep_time=True)
            .include_vars(include_vars=True)
        )
        .annotation(_firing_rules())
        .variables(list(_variables()))
    )


def _variables() -> Iterator[
    builders.DatasourceVariable | builders.QueryVariable | builders.TextBoxVariable
]:
    yield (
        builders.DatasourceVariable("datasource")
        .label("Data source")
        .type("prometheus")
        .current(dashboard.VariableOption(text="Prometheus", value="weir-prometheus"))
    )
    yield _values_of("group", "weir_build_info").label("Group").multi(multi=False)
    yield (
        _values_of("instance", 'weir_build_info{group="$group"}')
        .label("Process")
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".*")
        .current(dashboard.VariableOption(text="All", value="$__all"))
    )
    yield (
        builders.TextBoxVariable("runbooks")
        .label("Runbooks")
        .description("The address of your copy of docs/operations.md, for the links of panels.")
        .default_value(_RUNBOOKS)
        .current(dashboard.VariableOption(text=_RUNBOOKS, value=_RUNBOOKS))
    )


def _values_of(label: str, series: str) -> builders.QueryVariable:
    query = f"label_values({series}, {label})"
    return (
        builders.QueryVariable(label)
        .datasource(_SOURCE)
        .query({"qryType": 1, "query": query, "refId": label})
        .definition(query)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
    )


def _firing_rules() -> builders.AnnotationQuery:
    """Return what marks firing rules on each chart; `absent` knows of no group."""
    return (
        builders.AnnotationQuery()
        .name("Weir's alert rules")
        .datasource(_SOURCE)
        .enable(enable=True)
        .hide(hide=False)
        .icon_color("red")
        .expr('ALERTS{alertname=~"Weir.*",alertstate="firing",group=~"$group|"}')
        .title_format("{{alertname}}")
        .tag_keys("severity,instance,partition")
    )


# -- panels ---------------------------------------------------------------------------------------


def _panel(chart: Chart) -> _AnyPanel:
    is_figure = chart.drawing is Drawing.FIGURE
    panel = (
        _empty(chart)
        .title(chart.title)
        .description(chart.about)
        .datasource(_SOURCE)
        .span(chart.width)
        .height(_FIGURE_HEIGHT if is_figure else _CHART_HEIGHT)
        .unit(chart.unit)
        .thresholds(_steps(chart))
        .links([_runbook(alert) for alert in chart.runbooks])
    )
    if chart.decimals is not None:
        panel.decimals(chart.decimals)
    if chart.most is not None:
        panel.max(chart.most)
    if chart.words:
        texts = {
            str(number): dashboard.ValueMappingResult(text=text, index=index)
            for index, (number, text) in enumerate(chart.words.items())
        }
        panel.mappings([dashboard.ValueMap(options=texts)])
    for index, (legend, expression) in enumerate(chart.queries.items()):
        panel.with_target(_target(chart.drawing, chr(ord("A") + index), legend, expression))
    return panel


def _empty(chart: Chart) -> _AnyPanel:
    if chart.drawing is Drawing.FIGURE:
        return (
            stat.Panel()
            .color_mode(common.BigValueColorMode.VALUE)
            .graph_mode(common.BigValueGraphMode.NONE)
            .color_scheme(_colour(dashboard.FieldColorModeId.THRESHOLDS))
            .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
        )
    if chart.drawing is Drawing.TABLE:
        return table.Panel().show_header(show_header=True)
    if chart.drawing is Drawing.HEAT:
        return (
            heatmap.Panel()
            .calculate(calculate=False)
            .y_axis(heatmap.YAxisConfig().unit(chart.unit))
            .color(heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges"))
        )
    return _lines(chart.drawing)


def _lines(drawing: Drawing) -> timeseries.Panel:
    style = common.GraphDrawStyle.BARS if drawing in _BARS else common.GraphDrawStyle.LINE
    is_added_up = drawing in _ADDED_UP
    mode = common.StackingMode.NORMAL if is_added_up else common.StackingMode.NONE
    legend = common_builders.VizLegendOptions()
    tooltip = common_builders.VizTooltipOptions()
    return (
        timeseries.Panel()
        .min(0)
        .draw_style(style)
        .line_width(1)
        .fill_opacity(_FILL[drawing])
        .show_points(common.VisibilityMode.NEVER)
        .span_nulls(span_nulls=False)
        .stacking(common_builders.StackingConfig().mode(mode).group("A"))
        .color_scheme(_colour(dashboard.FieldColorModeId.PALETTE_CLASSIC))
        .legend(
            legend.display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
        )
        .tooltip(tooltip.mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING))
    )


def _target(drawing: Drawing, ref: str, legend: str, expression: str) -> prometheus.Dataquery:
    target = (
        prometheus.Dataquery()
        .ref_id(ref)
        .datasource(_SOURCE)
        .editor_mode(QueryEditorMode.CODE)
        .expr(expression)
        .legend_format(legend)
    )
    if drawing is Drawing.TABLE:
        return target.format(PromQueryFormat.TABLE).instant()
    if drawing is Drawing.HEAT:
        return target.format(PromQueryFormat.HEATMAP).range()
    return target.instant() if drawing is Drawing.FIGURE else target.range()


def _steps(chart: Chart) -> builders.ThresholdsConfig:
    steps = [dashboard.Threshold(value=value, color=colour) for value, colour in chart.steps]
    return builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)


def _colour(mode: dashboard.FieldColorModeId) -> builders.FieldColor:
    return builders.FieldColor().mode(mode)


def _runbook(alert: str) -> builders.DashboardLink:
    link = builders.DashboardLink(f"Runbook: {alert}").type(dashboard.DashboardLinkType.LINK)
    return link.url(f"${{runbooks:raw}}#{alert.lower()}").target_blank(target_blank=True)
