"""The settings that an application has in its `.env`, by Wappa's names.

The pipeline's own settings are `PIPELINE_…` variables (`pipeline.settings`). These here name one Cloud API account,
from which `Wappa.run` makes a tenants file.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Final

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.wappa.not_offered import refusing


def _either(*names: str) -> AliasChoices:
    return AliasChoices(*names)


def _version() -> str:
    try:
        return version("whatsapp-pipeline")
    except PackageNotFoundError:
        return "0"


class WappaSettings(BaseSettings):
    """Nothing is required: without an account the application runs against the sandbox."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, populate_by_name=True)

    port: int = Field(8080, validation_alias=_either("PORT", "PIPELINE_INGRESS_PORT"))
    environment: str = Field("DEV", validation_alias=_either("SYSTEM_ENVIRONMENT", "ENVIRONMENT"))
    log_level: str = Field("INFO", validation_alias=_either("SYSTEM_LOG_LEVEL", "LOG_LEVEL"))
    log_dir: str = Field("./logs", validation_alias=_either("SYSTEM_LOG_DIR", "LOG_DIR"))
    time_zone: str = Field("UTC", validation_alias=_either("SYSTEM_TIME_ZONE", "TIME_ZONE"))
    api_version: str = Field("v23.0", validation_alias=_either("META_API_VERSION", "API_VERSION"))
    base_url: str = Field("https://graph.facebook.com/", validation_alias=_either("META_BASE_URL", "BASE_URL"))
    wp_access_token: str | None = Field(None, validation_alias="WP_ACCESS_TOKEN", repr=False)
    wp_phone_id: str | None = Field(None, validation_alias="WP_PHONE_ID")
    wp_bid: str | None = Field(None, validation_alias="WP_BID")
    wp_webhook_verify_token: str | None = Field(
        None, validation_alias=_either("WP_WEBHOOK_VERIFY_TOKEN", "WHATSAPP_WEBHOOK_VERIFY_TOKEN"), repr=False
    )
    meta_app_secret: str | None = Field(None, validation_alias="META_APP_SECRET", repr=False)
    api_key: str | None = Field(None, validation_alias="PIPELINE_API_KEY", repr=False)
    openai_api_key: str | None = Field(None, validation_alias="OPENAI_API_KEY", repr=False)
    redis_url: str | None = Field(None, validation_alias=_either("PIPELINE_REDIS", "REDIS_URL"), repr=False)
    version: str = Field(default_factory=_version)

    @property
    def has_redis(self) -> bool:
        return self.redis_url is not None

    @property
    def is_development(self) -> bool:
        return self.environment.upper() != "PROD"

    @property
    def is_production(self) -> bool:
        return not self.is_development

    @property
    def inbox_id(self) -> str:
        """The phone_number_id. Raises `ValueError` where there is none."""
        if not self.wp_phone_id:
            raise ValueError("WP_PHONE_ID is not set: put the number's phone_number_id into .env")
        return self.wp_phone_id

    @property
    def owner_id(self) -> str:
        """`inbox_id` by its name in Wappa 0.1."""
        return self.inbox_id


Settings = WappaSettings
settings: Final = WappaSettings()
"""The settings, read once, at the first import."""
__getattr__ = refusing(__name__)
