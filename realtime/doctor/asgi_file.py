"""The mistakes that are made where the ASGI application and its routes are put together."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from realtime.doctor.finding import Finding
from realtime.doctor.mistakes import MISTAKES
from realtime.doctor.sources import Project, Source, calls, last, strings

ORIGIN_CHECKS = ("AllowedHostsOriginValidator", "OriginValidator", "HostGuard")
ROUTES = ("path", "re_path", "url")
# Where a project's own code that needs loaded apps is kept.
OWN = ("routing", "consumers", "models", "middleware", "views", "urls")


def look(project: Project) -> Iterator[Finding]:
    routers = [(source, call) for source in project.python for call in _routers(source)]
    yield from _unserved(project, [source for source, _ in routers])
    for source, call in routers:
        yield from _router(source, call)
    for source in project.python:
        yield from _early_imports(project, source)
        yield from _routes(source)


def _routers(source: Source) -> Iterator[ast.Call]:
    return (call for call in calls(source.tree) if last(call.func) == "ProtocolTypeRouter")


def _unserved(project: Project, with_router: list[Source]) -> Iterator[Finding]:
    """Where there are consumers, and what a server is given does not lead to them."""
    consumers = [s for s in project.python if "as_asgi()" in s.text or "Consumer)" in s.text]
    served = [s for s in project.python if s.path.name in ("asgi.py", "app.py")]
    served = [source for source in served if "application" in source.text]
    if not consumers or any(_leads_to(source, with_router) for source in served):
        return
    place = (served or project.settings or consumers)[0].place(1)
    text = MISTAKES["router-unserved"].text
    if with_router:
        text = f"The router in {with_router[0].name} is served by nothing. {text}"
    yield MISTAKES["router-unserved"].at(place, text)


def _leads_to(source: Source, with_router: list[Source]) -> bool:
    """Whether the router with "websocket" in it is here, or imported from where it is."""
    if source in with_router:
        return True
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and any(a.name == "application" for a in node.names):
            name = (node.module or "").rpartition(".")[2]
            return any(each.module.rpartition(".")[2] == name for each in with_router)
    return False


def _router(source: Source, call: ast.Call) -> Iterator[Finding]:
    if not call.args or not isinstance(call.args[0], ast.Dict):
        return
    keys = {key.value for key in call.args[0].keys if isinstance(key, ast.Constant)}
    if "websocket" not in keys:
        text = 'The ProtocolTypeRouter has no "websocket": no socket gets through.'
        yield MISTAKES["router-unserved"].at(source.place(call), text)
    elif not any(check in source.text for check in ORIGIN_CHECKS):
        yield MISTAKES["no-origin-check"].at(source.place(call))
    if "http" not in keys:
        yield MISTAKES["no-http"].at(source.place(call))
    if "lifespan" not in keys:
        yield MISTAKES["no-lifespan"].at(source.place(call))


def _early_imports(project: Project, source: Source) -> Iterator[Finding]:
    first = [c.lineno for c in calls(source.tree) if last(c.func) == "get_asgi_application"]
    own = {each.module for each in project.python}
    for node in source.tree.body:
        if first and node.lineno < min(first) and _imported(node, source) & own:
            yield MISTAKES["early-import"].at(source.place(node))


def _imported(node: ast.stmt, source: Source) -> set[str]:
    """Modules of the kinds that need loaded apps, which the statement imports."""
    names: set[str] = set()
    if isinstance(node, ast.Import):
        names = {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
        package = source.module.split(".")[: -node.level] if node.level else []
        base = ".".join([*package, *filter(None, [node.module])])
        names = {base} | {f"{base}.{alias.name}".lstrip(".") for alias in node.names}
    return {name for name in names if name.rpartition(".")[2] in OWN}


def _routes(source: Source) -> Iterator[Finding]:
    for call in calls(source.tree):
        if last(call.func) not in ROUTES or len(call.args) < 2:
            continue
        view = call.args[1]
        if not isinstance(view, ast.Call) and last(view).endswith("Consumer"):
            yield MISTAKES["as-asgi"].at(source.place(call))
        is_socket = isinstance(view, ast.Call) and last(view.func) == "as_asgi"
        routes = [text for _, text in strings(call.args[0])]
        if is_socket and routes and routes[0].rstrip("$").endswith("/"):
            yield MISTAKES["last-slash"].at(source.place(call))
