"""The tenants file: who owns what, secrets from outside, errors in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import ConfigurationError
from pipeline.tenants import Tenants, load_tenants, sample

SAMPLE = Path(__file__).parents[2] / "examples/tenants.yaml"
SANDBOX = {"PIPELINE_SANDBOX_URL": "http://127.0.0.1:8090"}


def account(**changes: Any) -> dict[str, Any]:
    return {"provider": "cloud", "id": "106", "token": "t"} | changes


def content(*tenants: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"tenants": list(tenants), **rest}


def load(path: Path, what: object, environ: dict[str, str] | None = None) -> Tenants:
    file = path / "tenants.yaml"
    file.write_text(what if isinstance(what, str) else yaml.safe_dump(what))
    return load_tenants(file, environ or {})


def refusal(path: Path, what: object, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(path, what, environ)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_the_sample_is_there_outside_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`pipeline up` from an installed package would ask a newcomer for a tenants file."""
    monkeypatch.chdir(SAMPLE.parents[1])
    assert sample().resolve() == SAMPLE
    monkeypatch.chdir(tmp_path)
    assert sample().read_bytes() == SAMPLE.read_bytes(), "copy examples/tenants.yaml to pipeline/tenants.sample.yaml"


def test_the_sample_is_as_promised() -> None:
    """A newcomer's first webhook would be refused: the sandbox is given the same ids and secrets."""
    tenants = load_tenants(SAMPLE, SANDBOX)
    assert [tenant.id for tenant in tenants] == ["acme", "globex", "initech"]
    cloud = tenants.account("cloud", "106540352242922")
    assert cloud is not None
    assert cloud.token.get_secret_value() == "sandbox-token"
    assert cloud.base_url == SANDBOX["PIPELINE_SANDBOX_URL"]
    (app,) = tenants.cloud_apps
    assert [secret.get_secret_value() for secret in app.app_secrets] == ["sandbox-app-secret"]
    assert app.verify_token.get_secret_value() == "sandbox-verify-token"
    for provider, name, secret, token in (
        ("wasender", "globex-session", "sandbox-wasender-secret", "sandbox-wasender-key"),
        ("wawp", "initech-instance", "sandbox-wawp-secret", "sandbox-wawp-token"),
    ):
        found = tenants.account(provider, name)
        assert found is not None
        assert [each.get_secret_value() for each in found.webhook_secrets] == [secret]
        assert found.token.get_secret_value() == token


def test_owner_by_number_and_by_business() -> None:
    """Events of templates and of the account name only the business id, and would be nobody's."""
    tenants = load_tenants(SAMPLE, SANDBOX)
    for name in ("106540352242922", "102290129340398"):
        owner = tenants.owner("cloud", name)
        assert owner is not None
        assert owner.id == "acme"
    assert tenants.owner("wawp", "106540352242922") is None, "ids of two providers may be equal"
    assert tenants.owner("cloud", "1") is None


def test_a_business_has_one_tenant(tmp_path: Path) -> None:
    """What names only the business (templates, limits, restrictions) would all go to the first in the file."""
    first = {"id": "a", "accounts": [account(id="1", business_id="9"), account(id="3", business_id="9")]}
    second = {"id": "b", "accounts": [account(id="2", business_id="9")]}
    with pytest.raises(ConfigurationError, match="a and b both have cloud business_id 9"):
        load(tmp_path, content(first, second))
    owner = load(tmp_path, content(first)).owner("cloud", "9")
    assert owner is not None
    assert owner.id == "a"


def test_lanes_have_the_default_always(tmp_path: Path) -> None:
    """`topics create` would leave out the lane of the next tenant that names none."""
    assert load(tmp_path, content({"id": "a", "lane": "gold"})).lanes == ["default", "gold"]


def test_numbers_as_ids_are_text(tmp_path: Path) -> None:
    """YAML reads an unquoted phone number id as a number, and no webhook would match it."""
    tenants = load(tmp_path, content({"id": "a", "accounts": [account(id=106540352242922)]}))
    assert tenants.owner("cloud", "106540352242922") is not None


def test_secrets_come_from_environment_and_files(tmp_path: Path) -> None:
    """Operators could not keep secrets out of the file, or would sign with a newline at the end."""
    secret = tmp_path / "secret"
    secret.write_text("from-file\n")
    accounts = [account(token="env:TOKEN", webhook_secrets=[f"file:{secret}"])]
    tenants = load(tmp_path, content({"id": "a", "accounts": accounts}), {"TOKEN": "from-env"})
    found = tenants.account("cloud", "106")
    assert found is not None
    assert found.token.get_secret_value() == "from-env"
    assert found.webhook_secrets[0].get_secret_value() == "from-file"


def test_secrets_do_not_print(tmp_path: Path) -> None:
    """A logged account would carry its token into the log store."""
    tenants = load(tmp_path, content({"id": "a", "accounts": [account(token="hush")]}))
    assert "hush" not in repr(list(tenants))


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (content({"id": "a", "accounts": [account(token="env:NOPE")]}), "NOPE is not set"),
        (content({"id": "a", "accounts": [account(token="env:EMPTY")]}), "can't be empty"),
        (content({"id": "a", "accounts": [account(token="file:/does/not/exist")]}), "/does/not/exist"),
        (content({"id": "a", "accounts": [account(token="file:/")]}), "directory"),
        (content({"id": "a", "accounts": [account(token="")]}), "can't be empty"),
        (content({"id": "a", "accounts": [{"provider": "cloud", "id": "1"}]}), "tenants.0.accounts.0.token"),
        (content({"id": "a", "acounts": []}), "tenants.0.acounts"),
        (content({"id": "A tenant"}), "tenants.0.id"),
        (content({"id": "a", "lane": "../x"}), "tenants.0.lane"),
        (content({"id": "a", "accounts": [account(limits={"messages_per_second": 0})]}), "messages_per_second"),
        (content({"id": "a", "send_limits": {"rate": 0}}), "tenants.0.send_limits.rate"),
        (content({"id": "a", "send_limits": {"interactive_burst": 0.5}}), "send_limits.interactive_burst"),
        (content({"id": "a", "send_limits": {"rate": 5, "interactive_rate": 6}}), "send_limits.interactive_rate"),
        (content({"id": "a", "send_limits": {"key_share": 2}}), "send_limits.key_share"),
        (content({"id": "a", "send_limits": {"per_second": 2}}), "send_limits.per_second"),
        (content({"id": "a", "weight": 0}), "tenants.0.weight"),
        (content({"id": "a"}, cloud_apps=[{"id": "1", "app_secrets": [], "verify_token": "v"}]), "app_secrets"),
        (
            content({"id": "a"}, cloud_apps=[{"id": "1", "app_secrets": ["a", "b", "c"], "verify_token": "v"}]),
            "app_sec",
        ),
        (content({"id": "a"}, {"id": "a"}), "called a"),
        (content({"id": "a", "accounts": [account()]}, {"id": "b", "accounts": [account()]}), "cloud account 106"),
        (content({"id": "a", "weight": 0}), "tenants.0.weight"),
        (content({"id": "a", "weight": -1}), "greater than 0"),
        (content({"id": "a", "weight": float("nan")}), "finite"),
        (content({"id": "a", "weight": float("inf")}), "finite"),
        (content({"id": "a", "weight": "heavy"}), "valid number"),
        (content({"id": "a", "acounts": []}), "no such field"),
        (content({"id": "a"}, cloud_app=[]), "cloud_app"),
        ("tenants: &a\n- {id: x}\n- *b", "not YAML (line 3: found undefined alias"),
        ("tenants: [{id: a, weight: !!int ''}]", "not YAML (line 1"),
        ("tenants: []\n---\ntenants: []", "not YAML (line 2"),
        ("", "its top"),
        ("- a\n- b", "its top"),
        ("tenants: [", "not YAML (line 2"),
        ("tenants: 'a\n\nb: 1", "end of stream, while scanning a quoted scalar from line 1)"),
        ("tenants: 2020-99-99", "not YAML"),
        ("a: 1\n\tb: 2", "not YAML (line 2"),
    ],
)
def test_what_is_wrong_is_one_line_that_says_where(tmp_path: Path, what: object, says: str) -> None:
    """Whoever edits the file would search for the fault in a traceback."""
    assert says in refusal(tmp_path, what, {"EMPTY": ""})


WRONG = """\
tenants:
  - id: acme
    accounts:
      - { provider: cloud, id: "1", token: t }
  - id: globex
    accounts:
      - provider: cloud
        id: "2"
        token: t
        limits:
          messages_per_second: none of your business
"""


def test_what_is_wrong_is_said_with_its_line_and_its_tenant(tmp_path: Path) -> None:
    """In a file of ten thousand tenants somebody would count to the 5,123rd."""
    place = "tenants.1.accounts.0.limits.messages_per_second (line 11, tenant globex): "
    assert place in refusal(tmp_path, WRONG)
    assert "tenants.0.id (line 2): " in refusal(tmp_path, WRONG.replace("id: acme", "id: A secret?"))
    assert "A secret?" not in refusal(tmp_path, WRONG.replace("id: acme", "id: A secret?"))
    assert "(line 13): Field required" in refusal(
        tmp_path, WRONG.replace("none of your business", "80") + "cloud_apps:\n  - {}\n"
    )


def test_a_tenant_has_a_weight(tmp_path: Path) -> None:
    """All would have the same share of turns, or a file of an older version would be refused."""
    tenants = load(tmp_path, content({"id": "a"}, {"id": "b", "weight": 2}, {"id": "c", "weight": 0.25}))
    assert [tenants.weight(name) for name in ("a", "b", "c", "nobody")] == [1.0, 2.0, 0.25, 1.0]


def test_json_is_read_as_well(tmp_path: Path) -> None:
    """A user whose program makes the file would have to learn another format."""
    accounts = [account(id="1", webhook_secrets=["a\u00e9\t"]), account(id="2", limits={"messages_per_second": 4})]
    what = content({"id": "a", "accounts": accounts, "weight": 1.5, "handler": None})
    for text in (json.dumps(what), json.dumps(what, indent=2), yaml.safe_dump(what)):
        (tenant,) = load(tmp_path, text)
        assert (tenant.weight, len(tenant.accounts), tenant.accounts[1].rate) == (1.5, 2, 4)
        assert tenant.accounts[0].webhook_secrets[0].get_secret_value() == "a\u00e9\t"


def test_accounts_may_be_written_once_and_referred_to(tmp_path: Path) -> None:
    """Somebody's file with anchors and merge keys would lose the fields that are written elsewhere."""
    text = """\
tenants:
  - &a { id: a, lane: gold, accounts: [&n { provider: cloud, id: "1", token: t, business_id: "9" }] }
  - <<: *a
    id: b
    accounts: [{ <<: *n, id: "2", business_id: "8" }]
"""
    tenants = load(tmp_path, text)
    assert [(each.id, each.lane, each.accounts[0].id) for each in tenants] == [("a", "gold", "1"), ("b", "gold", "2")]
    assert tenants.owner("cloud", "8") is tenants.get("b")


def test_a_session_is_the_account_that_it_names(tmp_path: Path) -> None:
    """A webhook would be keyed and authenticated as another account's: of two with one name, the one with this id."""
    accounts = [
        account(provider="waha", id="x", session="default"),
        account(provider="waha", id="y", session="default"),
        account(provider="waha", id="z", session="x"),
        account(provider="waha", id="plain"),
    ]
    other = [account(provider="waha", id="theirs", session="default")]
    tenants = load(tmp_path, content({"id": "a", "accounts": accounts}, {"id": "b", "accounts": other}))

    def ids(tenant: str, session: str) -> list[str]:
        return [each.id for each in tenants.sessions(tenant, "waha", session)]

    assert [ids("a", name) for name in ("default", "x", "plain", "y", "none")] == [["x", "y"], ["z"], ["plain"], [], []]
    assert [ids("b", name) for name in ("default", "plain")] == [["theirs"], []]
    assert [tenants.has_session("waha", name) for name in ("default", "x", "plain", "y")] == [True, True, True, False]
    assert not tenants.has_session("wawp", "default")
    single = [tenants.single_account(name, "waha") for name in ("a", "b", "nobody")]
    assert [each and each.id for each in single] == [None, "theirs", None]


def test_a_file_that_cannot_be_read_names_the_setting(tmp_path: Path) -> None:
    """Nobody would know from where the path came."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "none", tmp_path, tmp_path / "binary"):
        with pytest.raises(ConfigurationError, match="PIPELINE_TENANTS") as caught:
            load_tenants(path)
        assert len(str(caught.value).splitlines()) == 1


def test_errors_never_quote_a_secret(tmp_path: Path) -> None:
    """A misplaced secret would be printed to a terminal or a log."""
    for accounts in ([account(token={"x": "hush"})], [account(extra="hush")], [account(webhook_secrets="hush")]):
        assert "hush" not in refusal(tmp_path, content({"id": "a", "accounts": accounts}))


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = [
    "id",
    "lane",
    "handler",
    "accounts",
    "provider",
    "token",
    "business_id",
    "webhook_secrets",
    "limits",
    "base_url",
]
SHAPED = st.fixed_dictionaries(
    {"tenants": st.lists(st.dictionaries(st.sampled_from(NAMES), ANY, max_size=6), max_size=3) | ANY},
    optional={"cloud_apps": ANY},
)


@given(ANY | SHAPED)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_content_is_taken_or_refused_in_one_line(tmp_path: Path, what: object) -> None:
    """Some typing error in the file would end every process with a traceback."""
    try:
        load(tmp_path, what)
    except ConfigurationError as error:
        assert len(str(error).splitlines()) == 1


@given(st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_taken_or_refused_in_one_line(tmp_path: Path, text: str) -> None:
    """A file that some editor has mangled would end every process with a traceback."""
    try:
        load(tmp_path, text.encode(errors="replace").decode())
    except ConfigurationError as error:
        assert len(str(error).splitlines()) == 1


def test_refusals_are_on_unless_a_tenant_says_otherwise(tmp_path: Path) -> None:
    """A tenant would have to know of the service window to be kept from breaking it."""
    tenants = load(tmp_path, content({"id": "acme"}, {"id": "globex", "refusals": {"outside_window": False}}))
    settings = [tenant.refusals for tenant in tenants]
    assert [(each.outside_window, each.opted_out, set(each.opt_out_words)) for each in settings] == [
        (True, True, set()),
        (False, True, set()),
    ]


@pytest.mark.parametrize(
    ("refusals", "words"),
    [
        ({"opt_out_words": ["Stop", "baja"], "opt_in_words": ["STOP"]}, "stop is an opt-out word, too"),
        ({"opt_out_words": ["  "]}, "1 to 64 characters"),
        ({"opt_out_words": ["x" * 65]}, "1 to 64 characters"),
        ({"window": True}, "there is no such field"),
    ],
)
def test_wrong_refusals_are_one_line(tmp_path: Path, refusals: dict[str, Any], words: str) -> None:
    """A word that both declines and accepts would do either."""
    assert words in refusal(tmp_path, content({"id": "acme", "refusals": refusals}))
