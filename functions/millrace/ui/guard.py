"""Who may ask the page: a browser on this machine that was given the token, and no other site through it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN_PARAMETER = "token"  # noqa: S105 - the name of a parameter, and no secret
_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""Names of this machine; another site's name that resolves to it (DNS rebinding) is none of them."""
_SAFE_METHODS = frozenset({"GET", "HEAD"})
_HEADERS = {
    # Scripts, styles and pictures of this server alone, nothing inline; no frame may show the page, no form may leave.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not "no-referrer": browsers would then send "Origin: null" with the page's own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True, slots=True)
class PageSecret:
    """The token of one start of the page, and what is made of it."""

    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def cookie(self) -> str:
        """The cookie's name; browsers share cookies among all ports of a host, so each start has its own."""
        return f"millrace-{hashlib.sha256(self.token.encode()).hexdigest()[:8]}"

    @property
    def form_key(self) -> str:
        """What a form of the page carries, so that no other site can post one."""
        return hmac.new(self.token.encode(), b"form", hashlib.sha256).hexdigest()

    def is_token(self, text: str) -> bool:
        """Whether it is the token."""
        # In constant time: how soon a comparison ends must not tell how much of a guess is right.
        return hmac.compare_digest(text.encode(), self.token.encode())

    def is_form_key(self, text: str) -> bool:
        """Whether a form is the page's own."""
        return hmac.compare_digest(text.encode(), self.form_key.encode())

    def sign(self, text: str) -> str:
        """What proves that the page itself wrote a text into a form: that it was tried dry before it is done."""
        return hmac.new(self.token.encode(), f"tried\n{text}".encode(), hashlib.sha256).hexdigest()


class Guard:
    """Middleware that lets through what has a host's name of this machine and the token, and adds headers to all."""

    def __init__(self, app: ASGIApp, secret: PageSecret, *, allow_actions: bool) -> None:
        self._app = app
        self._secret = secret
        self._allow_actions = allow_actions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refusal = self._refuse(scope)
        answer = refusal if refusal is not None else self._app
        await answer(scope, receive, send_with_headers)

    def _refuse(self, scope: Scope) -> Response | None:
        """What answers a request that is not let through; a token in the address is exchanged for a cookie."""
        headers = Headers(scope=scope)
        # Another site's name may be pointed at 127.0.0.1 (DNS rebinding): the browser then sends that name.
        if _host_of(headers) not in _HOSTS:
            return PlainTextResponse(
                "This page answers to 127.0.0.1 and localhost alone. Open the address that `millrace ui` printed.\n",
                status_code=421,
            )
        if scope["method"] not in _SAFE_METHODS and not self._is_own_form(scope, headers):
            return PlainTextResponse(
                "Nothing is changed from here: start the page with `millrace ui --allow-actions`, and use its own "
                "forms.\n",
                status_code=403,
            )
        # Style and scripts hold nothing of the deployment.
        if scope["path"].startswith("/static/"):
            return None
        return self._refuse_stranger(scope, headers)

    def _refuse_stranger(self, scope: Scope, headers: Headers) -> Response | None:
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        tokens = [value for name, value in query if name == TOKEN_PARAMETER]
        # The token comes once, in the address that is opened. Then a cookie stands for it, so that it is in no further
        # address, in no history and in no Referer.
        if any(map(self._secret.is_token, tokens)):
            return self._give_cookie(scope, [pair for pair in query if pair[0] != TOKEN_PARAMETER])
        cookies = SimpleCookie(headers.get("cookie", ""))
        held = cookies.get(self._secret.cookie)
        if held is not None and self._secret.is_token(held.value):
            return None
        return PlainTextResponse(
            "This page needs the token of its start. Open the address that `millrace ui` printed, with its ?token=…\n",
            status_code=403,
        )

    def _give_cookie(self, scope: Scope, query: list[tuple[str, str]]) -> Response:
        """Send the browser to the same address without the token, so that no address that is sent on has it."""
        # Two slashes at the beginning would be another host's address.
        path = "/" + scope["path"].lstrip("/")
        response = RedirectResponse(f"{path}?{urlencode(query)}" if query else path, status_code=303)
        # Lax, not Strict: a link in a chat must open.
        response.set_cookie(self._secret.cookie, self._secret.token, httponly=True, samesite="lax", path="/")
        return response

    def _is_own_form(self, scope: Scope, headers: Headers) -> bool:
        """Whether a request that changes something comes from a page of this server."""
        origin = headers.get("origin")
        return self._allow_actions and scope["method"] == "POST" and origin == f"http://{headers.get('host')}"


def _host_of(headers: Headers) -> str:
    """The host's name without its port: ``[::1]`` of ``[::1]:8765``."""
    host = headers.get("host", "").lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
