"""The console's app: its routes, behind the guard."""

from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from monitor.console.figures import groups, team
from monitor.console.guard import SAFE, STATIC, Guard, OnRequest, Timed
from monitor.console.language.catalogue import Spoken
from monitor.console.oidc.registration import CALLBACK
from monitor.console.proxy import Proxy
from monitor.console.repeats import posted_once, tagged
from monitor.console.replies import AnswerError, posted, refused, see_other
from monitor.console.transactions import Transactions
from monitor.console.views import (
    account,
    alert,
    api,
    events,
    explore,
    exports,
    health,
    incident,
    limits,
    paper,
    people,
    provider_login,
    queue,
    worklist,
)
from monitor.console.views import transactions as of_alert
from monitor.console.work import saved_views, task_views, undo
from monitor.dispositions.deadlines import Deadlines
from monitor.store.people import Role
from monitor.store.store import Store, StoreError

if TYPE_CHECKING:  # it imports what only the extra `oidc` brings
    from monitor.console.oidc.provider import Provider


def _home(request: Request) -> Response:
    del request
    return see_other("/queue")


PAGES: Final = (
    Route("/", _home, methods=["GET"]),
    Route("/queue", queue.queue, methods=["GET"]),
    Route("/queue/take", posted(worklist.take), methods=["POST"]),
    Route("/queue/close", posted(worklist.close), methods=["POST"]),
    Route("/queue/views", posted(saved_views.change_views), methods=["POST"]),
    Route("/alerts/actions", posted(queue.act_on_many), methods=["POST"]),
    Route("/alerts/{alert_id:path}/actions", posted(alert.act_on), methods=["POST"]),
    Route("/alerts/{alert_id:path}/undo", posted(undo.undo_form), methods=["POST"]),
    Route("/alerts/{alert_id:path}/transactions", of_alert.transactions, methods=["GET"]),
    Route("/alerts/{alert_id:path}", alert.alert, methods=["GET"]),
    Route("/accounts/{account_id:path}/tasks", posted(task_views.open_form), methods=["POST"]),
    Route("/tasks", task_views.tasks, methods=["GET"]),
    Route("/tasks/{task_id:path}/steps", posted(task_views.end_form), methods=["POST"]),
    Route("/accounts/{account_id:path}/paper", paper.paper, methods=["GET"]),
    Route("/accounts/{account_id:path}", account.account, methods=["GET"]),
    Route("/incidents", incident.incidents, methods=["GET"]),
    Route("/incidents/{incident_id:path}/close", posted(incident.close), methods=["POST"]),
    Route("/incidents/{incident_id:path}", incident.incident, methods=["GET"]),
    Route("/limits", limits.limits, methods=["GET"]),
    Route("/limits/{threshold_id:path}/proposals", posted(limits.propose_limit), methods=["POST"]),
    Route("/limits/{threshold_id:path}", limits.limit, methods=["GET"]),
    Route(
        "/proposals/{proposal_id:path}/decision", posted(limits.decide_proposal), methods=["POST"]
    ),
    Route("/proposals/{proposal_id:path}", limits.proposal, methods=["GET"]),
    Route("/team", team.team, methods=["GET"]),
    Route("/groups", groups.groups, methods=["GET"]),
    Route("/groups/{segment:path}", groups.group, methods=["GET"]),
    Route("/explore", explore.explore, methods=["GET"]),
    Route("/health", health.health_page, methods=["GET"]),
    Route("/healthz", health.healthz, methods=["GET"]),
    Route("/livez", health.livez, methods=["GET"]),
    Route("/readyz", health.readyz, methods=["GET"]),
    Route("/events", events.events, methods=["GET"]),
    Route("/login", people.login_page, methods=["GET"]),
    Route("/login", posted(people.log_in), methods=["POST"]),
    Route("/login/oidc", provider_login.begin, methods=["GET"]),
    Route(CALLBACK, provider_login.finish, methods=["GET"]),
    Route("/login/oidc/logout", provider_login.leave, methods=["GET"]),
    Route("/logout", posted(people.log_out), methods=["POST"]),
    Route("/setup", people.setup_page, methods=["GET"]),
    Route("/setup", posted(people.set_up), methods=["POST"]),
    Route("/language", posted(people.choose_language), methods=["POST"]),
)

_V1: Final = "/api/v1"
DEADLINES: Final = Deadlines()

OF_API: Final = (
    Route(f"{_V1}/openapi.json", tagged(api.openapi_document), methods=["GET"]),
    Route(f"{_V1}/health", tagged(api.health_object), methods=["GET"]),
    Route(f"{_V1}/queue/take", posted_once(worklist.post_take), methods=["POST"]),
    Route(f"{_V1}/queue/close", posted_once(worklist.post_close_all), methods=["POST"]),
    Route(f"{_V1}/views", tagged(saved_views.view_list), methods=["GET"]),
    Route(f"{_V1}/views", posted_once(saved_views.post_view), methods=["POST"]),
    Route(
        f"{_V1}/views/{{name:path}}/remove",
        posted_once(saved_views.post_view_removal),
        methods=["POST"],
    ),
    Route(f"{_V1}/alerts", tagged(api.alert_list), methods=["GET"]),
    Route(
        f"{_V1}/alerts/{{alert_id:path}}/dispositions",
        posted_once(api.post_disposition),
        methods=["POST"],
    ),
    Route(
        f"{_V1}/alerts/{{alert_id:path}}/actions", posted_once(api.post_action), methods=["POST"]
    ),
    Route(f"{_V1}/alerts/{{alert_id:path}}/undo", posted_once(undo.post_undo), methods=["POST"]),
    Route(
        f"{_V1}/alerts/{{alert_id:path}}/transactions",
        tagged(of_alert.transaction_list),
        methods=["GET"],
    ),
    Route(f"{_V1}/alerts/{{alert_id:path}}", tagged(api.alert_object), methods=["GET"]),
    Route(f"{_V1}/tasks", tagged(task_views.task_list), methods=["GET"]),
    Route(
        f"{_V1}/tasks/{{task_id:path}}/steps",
        posted_once(task_views.post_task_step),
        methods=["POST"],
    ),
    Route(
        f"{_V1}/accounts/{{account_id:path}}/tasks",
        posted_once(task_views.post_tasks),
        methods=["POST"],
    ),
    Route(f"{_V1}/accounts/{{account_id:path}}/paper", tagged(paper.paper_object), methods=["GET"]),
    Route(f"{_V1}/accounts/{{account_id:path}}", tagged(api.account_object), methods=["GET"]),
    Route(f"{_V1}/exports/alerts", exports.export_alerts, methods=["GET"]),
    Route(f"{_V1}/incidents", tagged(api.incident_list), methods=["GET"]),
    Route(
        f"{_V1}/incidents/{{incident_id:path}}/close", posted_once(api.post_close), methods=["POST"]
    ),
    Route(f"{_V1}/incidents/{{incident_id:path}}", tagged(api.incident_object), methods=["GET"]),
    Route(f"{_V1}/limits", tagged(limits.limit_list), methods=["GET"]),
    Route(
        f"{_V1}/limits/{{threshold_id:path}}/proposals",
        posted_once(limits.post_proposal),
        methods=["POST"],
    ),
    Route(f"{_V1}/limits/{{threshold_id:path}}", tagged(limits.limit_whatif), methods=["GET"]),
    Route(f"{_V1}/explore/{{theme:path}}", tagged(explore.explore_object), methods=["GET"]),
    Route(f"{_V1}/proposals", tagged(limits.proposal_list), methods=["GET"]),
    Route(
        f"{_V1}/proposals/{{proposal_id:path}}/decision",
        posted_once(limits.post_decision),
        methods=["POST"],
    ),
    Route(f"{_V1}/proposals/{{proposal_id:path}}", tagged(limits.proposal_object), methods=["GET"]),
    Route(f"{_V1}/team", tagged(team.team_object), methods=["GET"]),
    Route(f"{_V1}/groups", tagged(groups.group_list), methods=["GET"]),
    Route(f"{_V1}/groups/{{segment:path}}", tagged(groups.group_object), methods=["GET"]),
)


PUBLIC: Final = frozenset(
    {
        "/healthz",
        "/livez",
        "/readyz",
        "/login",
        "/login/oidc",
        CALLBACK,
        "/login/oidc/logout",
        "/setup",
        "/language",
        f"{_V1}/openapi.json",
    }
)
"""Paths that need no login."""


OF_VIEWS: Final = ("/queue/views", f"{_V1}/views")
"""How the paths begin that change nothing but a person's own saved views."""


def needs(method: str, path: str) -> Role | None:
    """Return the role that a request needs; None if everybody may send it.

    That a second person must be an approver follows from the alert: `decide` sees to it.
    """
    if path in PUBLIC or path.startswith(STATIC):
        return None
    if method in SAFE or path == "/logout" or path.startswith(OF_VIEWS):
        return Role.VIEWER
    return Role.ANALYST


def create_app(  # noqa: PLR0913 - a console stands on these
    store: Store,
    *,
    clock: Callable[[], int],
    hosts: frozenset[str],
    is_https: bool = False,
    transactions: Transactions | None = None,
    proxy: Proxy | None = None,
    provider: "Provider | None" = None,
    deadlines: Deadlines = DEADLINES,
    on_request: OnRequest | None = None,
) -> Starlette:
    """Return the console of a store, behind its guard.

    `on_request` is given method, status and seconds of each request but those of /events;
    `transactions` finds those behind an alert; without it, the page says that it cannot.
    `proxy` may say who somebody is; people may log in by `provider`, too. `deadlines` say when an
    open alert is late.
    `clock` gives microseconds since 1970; `hosts` are the values of Host that are answered.
    """
    static = StaticFiles(directory=str(files("monitor.console") / "static"))
    guard = Middleware(
        Guard,
        store=store,
        clock=clock,
        hosts=hosts,
        is_https=is_https,
        needs=needs,
        proxy=proxy,
    )
    outermost = [Middleware(Spoken), guard]
    app = Starlette(
        routes=[*PAGES, *OF_API, Mount("/static", static, name="static")],
        middleware=outermost
        if on_request is None
        else [Middleware(Timed, note=on_request), *outermost],
        exception_handlers={
            AnswerError: refused,
            StoreError: refused,
            HTTPException: refused,
            500: refused,
        },
    )
    app.state.store = store
    app.state.deadlines = deadlines
    app.state.clock = clock
    app.state.is_https = is_https
    app.state.streams = {}
    app.state.transactions = transactions
    app.state.provider = provider
    return app
