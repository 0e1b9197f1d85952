"""What Wappa tells of sends that came by its REST API."""

from __future__ import annotations

from topics.outcomes import Outcome

APIMessageEvent = Outcome
"""The nearest that there is: what became of a command, on `commands.outcomes`, whoever gave it.

`process_api_message` is never called: there is no REST API for sends. Read that topic with a consumer of your own.
"""

__all__ = ["APIMessageEvent"]
