"""The sandbox's own errors. The errors of providers are not among them.

SandboxError        one line with the problem and its solution
├── NotSupported    the sandbox does not simulate this part of the provider
└── IngressAway     the ingress does not answer
"""

from typing import ClassVar


class SandboxError(Exception):
    """A request to the sandbox is not possible. `http` is the status of the response."""

    http: ClassVar[int] = 400


class NotSupported(SandboxError):
    """The sandbox does not simulate this part of the provider."""

    http = 501


class IngressAway(SandboxError):
    """The ingress did not answer."""

    http = 502
