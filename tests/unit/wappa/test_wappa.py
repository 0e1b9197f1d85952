"""`pipeline.wappa`: Wappa's import paths, and the application object."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pipeline.wappa
from pipeline.agents.handlers.echo import EchoHandler
from pipeline.errors import ConfigurationError, UsageError
from pipeline.handlers.loading import load_handler
from pipeline.sandbox.config import SAMPLE_ACCOUNTS
from pipeline.tenants import load_tenants
from pipeline.topics.events import MessageEvent
from pipeline.wappa import Wappa, WappaEventHandler
from pipeline.wappa.core.account import tenants_file
from pipeline.wappa.core.config.settings import WappaSettings
from pipeline.wappa.core.plugins import RedisPlugin
from pipeline.wappa.not_offered import REASONS

ACCOUNT = {
    "WP_ACCESS_TOKEN": "t0ken",
    "WP_PHONE_ID": "106540352242922",
    "WP_BID": "102290129340398",
    "WP_WEBHOOK_VERIFY_TOKEN": "v3rify",
    "META_APP_SECRET": "s3cret",
}
APPLICATION = """
from pipeline.wappa import Wappa, WappaEventHandler

class Greeter(WappaEventHandler):
    def __init__(self, greeting):
        super().__init__()
        self.greeting = greeting

    async def process_message(self, webhook):
        await self.messenger.send_text(self.greeting, webhook.user.user_id)

app = Wappa(cache="memory")
app.set_event_handler(Greeter("Welcome"))
"""


class Greeter(WappaEventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_text("Welcome", webhook.user.user_id)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    monkeypatch.chdir(tmp_path)
    for name, value in ACCOUNT.items():
        monkeypatch.setenv(name, value)
    return dict(ACCOUNT)


def _modules() -> list[str]:
    return [found.name for found in pkgutil.walk_packages(pipeline.wappa.__path__, "pipeline.wappa.")]


@pytest.mark.parametrize("name", _modules())
def test_every_module_has_what_it_promises(name: str) -> None:
    """A path that Wappa's users import would fail on the first line of their application."""
    module = importlib.import_module(name)
    assert module.__doc__
    for each in getattr(module, "__all__", ()):
        assert getattr(module, each) is not None


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("", "Wappa WappaEventHandler __version__"),
        (".webhooks", "IncomingMessageWebhook InboundMessageWebhook StatusWebhook ErrorWebhook SystemWebhook"),
        (".core.config.settings", "settings Settings"),
        (".core.config", "settings"),
        (".core.logging", "get_logger"),
        (".core.logging.logger", "ContextLogger get_logger"),
        (".domain.interfaces.cache_factory", "ICacheFactory"),
        (".domain.interfaces.cache_interface", "ICache"),
        (".domain.interfaces.cache_interfaces", "IUserCache IStateCache ITableCache"),
        (".domain.interfaces.messaging_interface", "IMessenger"),
        (".domain.events.api_message_event", "APIMessageEvent"),
        (".messaging.whatsapp.models.interactive_models", "ReplyButton ListRow ListSection InteractiveHeader"),
        (".messaging.whatsapp.messenger.whatsapp_messenger", "WhatsAppMessenger"),
        (".schemas.core.types", "PlatformType"),
        (".webhooks.whatsapp.message_types.audio", "WhatsAppAudioMessage"),
    ],
)
def test_what_applications_import_is_there(module: str, names: str) -> None:
    """An application that changes its import lines and nothing else would not start."""
    scope: dict[str, Any] = {}
    exec(f"from pipeline.wappa{module} import {', '.join(names.split())}", scope)
    assert set(names.split()) <= set(scope)


def test_settings_are_an_object_however_they_are_imported() -> None:
    """`from wappa.core.config import settings` would give a module, and its first attribute would be missing."""
    from pipeline.wappa.core.config import settings

    assert isinstance(settings, WappaSettings)
    assert settings.is_development != settings.is_production


@pytest.mark.parametrize("name", ["ExpiryPlugin", "WappaBuilder", "CronEvent"])
def test_what_is_not_offered_says_why(name: str) -> None:
    """Whoever used a plugin would read `cannot import name` and think that the port is broken."""
    with pytest.raises(ImportError, match=rf"{name} is not offered: .*:"):
        exec(f"from pipeline.wappa import {name}", {})
    with pytest.raises(AttributeError, match=r"add_router is not offered: .* run your own"):
        Wappa().add_router  # noqa: B018


def test_every_reason_says_what_to_do_instead() -> None:
    """A name that is only refused leaves its user with nothing."""
    assert all(": " in reason for reason in REASONS.values())


def test_other_names_are_missing_as_anywhere() -> None:
    """`hasattr` and mistyped names would behave otherwise than in any module."""
    assert not hasattr(pipeline.wappa, "misspelt")
    assert not hasattr(Wappa(), "misspelt")


def test_an_application_takes_handlers_only() -> None:
    """A class instead of an object, or a function, would be found out at the first message."""
    for wrong in (Greeter, lambda webhook: None):
        with pytest.raises(UsageError, match="is no handler"):
            Wappa().set_event_handler(wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no cache 'sqlite'"):
        Wappa(cache="sqlite")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="set_event_handler before run"):
        Wappa().run()
    app = Wappa()
    assert app.add_plugin(RedisPlugin()) is app
    with pytest.raises(UsageError, match=r"docs/from-wappa\.md"):
        app.add_plugin(object())


def test_a_worker_that_imports_an_application_does_not_start_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An application without a `__main__` guard would start a stack in every worker of every stack."""
    monkeypatch.setenv("PIPELINE_APPLICATION", "1")
    Wappa().run()


@pytest.mark.parametrize("how", ["script", "module"])
def test_a_worker_finds_the_handler_as_the_application_made_it(tmp_path: Path, how: str) -> None:
    """A handler that is made with arguments would be made without them in the worker, or not at all."""
    (tmp_path / "shop").mkdir()
    file = tmp_path / "shop" / "main.py"
    last = "import os; from pathlib import Path; print(app._environment(Path('.'), None, 9000))"
    file.write_text(f"{APPLICATION}\n{last}\n")
    argv = [sys.executable, str(file)] if how == "script" else [sys.executable, "-m", "shop.main"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    env = ast.literal_eval(done.stdout)
    assert env["PIPELINE_HANDLER"] == ("main:app.event_handler" if how == "script" else "shop.main:app.event_handler")
    assert (env["PIPELINE_CACHE"], env["PIPELINE_INGRESS_PORT"]) == ("memory", "9000")
    load = f"from pipeline.handlers.loading import load_handler as l; print(l({env['PIPELINE_HANDLER']!r}).greeting)"
    found = subprocess.run(
        [sys.executable, "-c", load], env=env, cwd="/", capture_output=True, text=True, check=False
    ).stdout
    assert found.splitlines()[-1] == "Welcome"


def test_an_application_made_in_a_function_is_found_by_its_handlers_class() -> None:
    """The larger examples make their application in `main()`, where no module holds it."""
    app = Wappa()
    app.set_event_handler(Greeter())
    path = app._environment(Path(), None, None)["PIPELINE_HANDLER"]
    assert path == f"{__name__}:Greeter"
    assert isinstance(load_handler(path), Greeter)


def test_a_handler_that_no_worker_can_import_is_said_so() -> None:
    """The worker would die four times, and the reason would stand in its log only."""

    class Hidden(Greeter):
        pass

    app = Wappa()
    app.set_event_handler(Hidden())
    with pytest.raises(UsageError, match="at the top of a module"):
        app._environment(Path(), None, None)


def test_the_account_of_the_environment_becomes_a_tenants_file(account: dict[str, str], tmp_path: Path) -> None:
    """An application's own number would not be served, or its token would be readable by everybody."""
    written = tenants_file(WappaSettings(), tmp_path)
    assert written is not None
    assert Path(written).stat().st_mode & 0o077 == 0
    tenants = load_tenants(Path(written))
    found = tenants.account("cloud", account["WP_PHONE_ID"])
    assert found is not None
    assert (found.token.get_secret_value(), found.business_id) == ("t0ken", account["WP_BID"])
    assert tenants.cloud_apps[0].app_secrets[0].get_secret_value() == "s3cret"
    assert "t0ken" not in repr(WappaSettings())


@pytest.mark.parametrize("missing", ACCOUNT)
def test_half_an_account_is_refused(
    account: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Without the app secret everybody could write to the application in anybody's name."""
    monkeypatch.delenv(missing)
    with pytest.raises(ConfigurationError, match=f"set {missing} in .env"):
        tenants_file(WappaSettings(), tmp_path)


def test_without_an_account_it_is_the_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer would need an account with Meta, or a checkout of ours, before anything runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIPELINE_SANDBOX_URL", "http://127.0.0.1:1")
    for name in (*ACCOUNT, "PIPELINE_TENANTS"):
        monkeypatch.delenv(name, raising=False)
    written = tenants_file(WappaSettings(), tmp_path)
    tenants = load_tenants(Path(written or ""))
    (sample,) = (each for each in SAMPLE_ACCOUNTS if each.provider == "cloud")
    account = tenants.account("cloud", sample.id)
    assert account is not None
    assert account.token.get_secret_value() == sample.token
    assert tenants.cloud_apps[0].app_secrets[0].get_secret_value() == sample.webhook_secret
    monkeypatch.setenv("PIPELINE_TENANTS", written or "")
    assert tenants_file(WappaSettings(), tmp_path) is None, "a tenants file that is there stands"


def test_wappas_log_level_is_the_pipelines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`SYSTEM_LOG_LEVEL=DEBUG` in an application's .env would do nothing."""
    app = Wappa()
    app.set_event_handler(EchoHandler())
    monkeypatch.setenv("SYSTEM_LOG_LEVEL", "DEBUG")
    monkeypatch.delenv("PIPELINE_LOG_LEVEL", raising=False)
    assert app._environment(tmp_path, None, None)["PIPELINE_LOG_LEVEL"] == "debug"
    monkeypatch.setenv("PIPELINE_LOG_LEVEL", "warning")
    assert app._environment(tmp_path, None, None)["PIPELINE_LOG_LEVEL"] == "warning"


@pytest.mark.parametrize("given", [None, "", "shop-key"])
def test_the_api_for_sends_opens_with_the_applications_key_or_one_made_for_the_run(
    account: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    """Systems that send through the application would be refused, or everybody would be let in."""
    monkeypatch.delenv("PIPELINE_API_KEY", raising=False)
    if given is not None:
        monkeypatch.setenv("PIPELINE_API_KEY", given)
    (tenant,) = load_tenants(Path(tenants_file(WappaSettings(), tmp_path) or ""))
    (key,) = (each.get_secret_value() for each in tenant.api_keys)
    if given:
        assert key == given
        assert given not in repr(WappaSettings())
    else:
        assert key.startswith("local-") and len(key) > 30
