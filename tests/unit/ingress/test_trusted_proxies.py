"""Who is calling, when proxies stand in between."""

from __future__ import annotations

import pytest

from pipeline.errors import ConfigurationError
from pipeline.ingress.trusted_proxies import TrustedProxies
from pipeline.settings import load_settings

PROXIES = TrustedProxies(load_settings(trusted_proxies="10.0.0.0/8, 192.0.2.1").trusted_proxies)


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["198.51.100.1, 203.0.113.7, 192.0.2.1"], "203.0.113.7"),
        ("10.0.0.1", ["198.51.100.1", "203.0.113.7, 10.9.9.9"], "203.0.113.7"),
        ("10.0.0.1", ["203.0.113.7:4711"], "203.0.113.7"),
        ("10.0.0.1", ["[2001:db8::1]:443"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["::ffff:203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["203.0.113.7, unknown"], None),
        ("10.0.0.1", [""], None),
        (None, ["203.0.113.7"], None),
    ],
)
def test_only_what_trusted_proxies_wrote_is_believed(
    peer: str | None, forwarded: list[str], caller: str | None
) -> None:
    """Anybody could come from an allowed address by saying so in a header."""
    assert PROXIES.client_ip(peer, forwarded) == caller


def test_without_trusted_proxies_nobody_speaks_for_another() -> None:
    """An installation that sets nothing would believe every header."""
    assert TrustedProxies().client_ip("10.0.0.1", ["203.0.113.7"]) == "10.0.0.1"


def test_a_misspelt_network_is_refused() -> None:
    """The list would silently be another one than was meant."""
    with pytest.raises(ConfigurationError, match="PIPELINE_TRUSTED_PROXIES"):
        load_settings(trusted_proxies="10.0.0.0/8, 10.0.0.300")


def test_the_answer_comes_before_a_gateway_gives_up() -> None:
    """Wawp counts what takes 5 s as failed and sends it again."""
    assert load_settings().ingress_deadline < 5
