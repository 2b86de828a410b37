"""The addresses by which other devices open a page of this server."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host
from django.utils.safestring import SafeString

from realtime.hosts import is_served, local_hosts
from realtime.web.addresses import lan_addresses, listening
from realtime.web.qr import svg

# More are no choice any more; a machine with so many has bridges of virtual machines.
MOST = 4


@dataclass(frozen=True, slots=True)
class Invitation:
    """One address, and a picture of it for phones."""

    url: str

    @property
    def qr(self) -> SafeString:
        return svg(self.url)

    # As short as one may type it, in two parts where a line may break.
    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.url).path).rstrip("/")  # Django adds it


async def invitations(request: HttpRequest, path: str) -> list[Invitation]:
    """Those of `path` (quoted), the likeliest first; none when only this machine gets in."""
    return [Invitation(url) for url in (await _urls(request, path))[:MOST]]


def may_change(request: HttpRequest) -> bool:
    """Whether the page stays open when this machine gets another address on its network."""
    return _is_loopback(_domain(request))


async def _urls(request: HttpRequest, path: str) -> list[str]:
    own = f"{request.scheme}://{request.get_host()}{path}"
    domain = _domain(request)
    if not validate_host(domain, local_hosts()):
        return [own]  # the addresses behind a public name are nobody's business
    port = request.get_port()
    # On a Unix socket there is no port, so nobody on the network gets in either.
    numbers = await listening(lan_addresses(), int(port)) if port.isdecimal() else []
    urls = [f"{request.scheme}://{number}:{port}{path}" for number in numbers if is_served(number)]
    if _is_loopback(domain) or own in urls:
        return sorted(urls, key=lambda url: url != own)
    return [own, *urls] if _is_address(domain) else [*urls, own]


def _domain(request: HttpRequest) -> str:
    return split_domain_port(request.get_host())[0].strip("[]")


def _is_address(domain: str) -> bool:
    try:
        ip_address(domain)
    except ValueError:
        return False
    return True


def _is_loopback(domain: str) -> bool:
    if _is_address(domain):
        return ip_address(domain).is_loopback
    return domain == "localhost" or domain.endswith(".localhost")
