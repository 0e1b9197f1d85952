"""The page at `/`: the sandbox's purpose, the last messages, and how to send one."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import Final

from aiohttp import web

from pipeline.sandbox.core import Sandbox
from pipeline.sandbox.ledger import SentMessage

LAST: Final = 25
_TEXT_LIMIT: Final = 300
_HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
}
_STYLE: Final = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
pre { padding: .75rem 1rem; overflow-x: auto; background: #8881; border-radius: .4rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884 }
td { overflow-wrap: anywhere } td.time { white-space: nowrap }
"""
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sandbox of the WhatsApp Pipeline</title><style>{style}</style>
</head>
<body>
<h1>Sandbox</h1>
<p>This stands in for the providers: it takes what the pipeline sends, enforces the providers' limits, and posts
statuses and users' messages to the ingress at <code>{ingress}</code>. Nothing reaches WhatsApp.</p>
<p>{sent} messages accepted, {violations} over a limit, {reads} marked as read, {pending} with statuses under way.</p>
<h2>Write to the business as a user</h2>
<p><a href="/chat">Chat with the bot</a>, or:</p>
<pre>curl {base}/_sandbox/receive --json '{{"from": "15550001111", "text": "hello"}}'</pre>
<h2>Sent last</h2>
<table>
<thead><tr><th>Time (UTC)</th><th>Account</th><th>To</th><th>Type</th><th>Content</th></tr></thead>
<tbody>{rows}</tbody>
</table>
<h2>More</h2>
<pre>curl {base}/_sandbox/sent                # everything accepted, oldest first; -X DELETE empties it
curl {base}/_sandbox/violations          # requests that broke a limit
curl {base}/_sandbox/stats               # counts
curl {base}/_sandbox/faults --json '{{"latency": 0.2, "errors": [{{"code": 131000, "times": 3}}]}}'
curl {base}/_sandbox/faults -X DELETE    # behave again</pre>
</body>
</html>
"""
_NOTHING: Final = '<tr><td colspan="5">Nothing yet.</td></tr>'


class Page:
    """The sandbox's first page. It has no scripts."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/", self.show)]

    async def show(self, request: web.Request) -> web.Response:
        return web.Response(text=self._html(f"{request.scheme}://{request.host}"), headers=_HEADERS)

    def _html(self, base: str) -> str:
        ledger = self._sandbox.ledger
        rows = "\n".join(_row(row) for row in ledger.sent.last(LAST) if isinstance(row, SentMessage))
        return _PAGE.format(
            style=_STYLE,
            ingress=escape(self._sandbox.config.ingress_url),
            base=escape(base),
            sent=ledger.sent.total,
            violations=ledger.violations.total,
            reads=ledger.reads.total,
            pending=self._sandbox.outbox.pending,
            rows=rows or _NOTHING,
        )


def _row(sent: SentMessage) -> str:
    at = datetime.fromtimestamp(sent.at, UTC).strftime("%H:%M:%S")
    cells = (f"{sent.provider} {sent.account}", sent.to, sent.type, _short(sent.body))
    return f'<tr><td class="time">{at}</td>' + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _short(text: str) -> str:
    return text if len(text) <= _TEXT_LIMIT else text[:_TEXT_LIMIT] + "…"
