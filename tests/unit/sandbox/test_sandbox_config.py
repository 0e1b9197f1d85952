"""The sandbox's configuration."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
import yaml

from pipeline.sandbox.config import ACCOUNTS_VARIABLE, SAMPLE_ACCOUNTS, SandboxAccount, accounts_from, load_accounts
from pipeline.sandbox.errors import SandboxError

SAMPLE = Path(__file__).parents[3] / "examples" / "tenants.yaml"


def write(path: Path, content: object) -> Path:
    path.write_bytes(orjson.dumps(content))
    return path


def test_the_default_accounts_are_those_of_the_sample() -> None:
    """The embedded stack would start with a sandbox that knows none of its accounts."""
    sample = yaml.safe_load(SAMPLE.read_text())
    owned = {(a["provider"], a["id"], a["token"]) for tenant in sample["tenants"] for a in tenant["accounts"]}
    assert {(known.provider, known.id, known.token) for known in SAMPLE_ACCOUNTS} == owned
    app = sample["cloud_apps"][0]
    assert (SAMPLE_ACCOUNTS[0].webhook_secret, SAMPLE_ACCOUNTS[0].verify_token) == (
        app["app_secrets"][0],
        app["verify_token"],
    )


def test_accounts_come_from_the_file_that_the_environment_names(tmp_path: Path) -> None:
    """A load test with many numbers would meet the sample's one number."""
    numbers = [{"provider": "cloud", "id": n, "token": "t", "webhook_secret": "s"} for n in range(1, 4)]
    path = write(tmp_path / "accounts.json", numbers)
    accounts = accounts_from({ACCOUNTS_VARIABLE: str(path)})
    assert [account.id for account in accounts] == ["1", "2", "3"]
    assert accounts_from({}) == SAMPLE_ACCOUNTS


def test_accounts_of_the_file_have_limits_of_their_own(tmp_path: Path) -> None:
    """A stack with one slow number among many could not be started."""
    number = {"provider": "cloud", "id": "1", "token": "t", "webhook_secret": "s"}
    slow = number | {"id": "2", "limits": {"messages_per_second": 20, "pair": "bucket"}}
    first, second = load_accounts(write(tmp_path / "accounts.json", [number, slow]))
    assert first.limits.model_fields_set == set()
    assert second.limits.model_dump(exclude_unset=True) == {"messages_per_second": 20, "pair": "bucket"}
    with pytest.raises(SandboxError, match=r"limits\.per_second"):
        load_accounts(write(tmp_path / "accounts.json", [number | {"limits": {"per_second": 20}}]))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([{"provider": "cloud", "id": "1", "webhook_secret": "hush"}], "0.token"),
        ([{"provider": "cloud", "id": "1", "token": "t", "webhook_secret": "hush", "waba": "2"}], "0.waba"),
        ({"accounts": []}, "its top"),
    ],
)
def test_a_wrong_accounts_file_is_explained_in_one_line_without_secrets(
    tmp_path: Path, content: object, words: str
) -> None:
    """Whoever writes the file would be shown a page of pydantic, with the secrets in it."""
    with pytest.raises(SandboxError) as caught:
        load_accounts(write(tmp_path / "accounts.json", content))
    text = str(caught.value)
    assert words in text
    assert "\n" not in text
    assert "hush" not in text


def test_a_missing_accounts_file_names_the_variable(tmp_path: Path) -> None:
    """Whoever mistyped the path would not know which setting to correct."""
    with pytest.raises(SandboxError, match=ACCOUNTS_VARIABLE):
        load_accounts(tmp_path / "nowhere.json")


def test_secrets_do_not_show_in_an_account() -> None:
    """A logged account would carry its token and secret into the log."""
    shown = repr(SandboxAccount("cloud", "1", "the-token", "the-secret", verify_token="the-verify-token"))
    assert "the-" not in shown
