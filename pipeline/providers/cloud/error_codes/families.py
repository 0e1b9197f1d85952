"""Codes of families that a send seldom meets: calls, groups, blocking, templates' creation, names and migration.

Each fails its command alone. The library that lists them names them and explains little.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pipeline.providers.cloud.error_codes.sources import PYWA
from pipeline.providers.code_policy import MINUTES, Action, CodePolicy


def _family(advice: str, meanings: Mapping[int, str]) -> dict[int, CodePolicy]:
    return {code: CodePolicy(meaning, advice, PYWA) for code, meaning in meanings.items()}


_FLOWS: Final = _family(
    "correct the flow in the WhatsApp Manager",
    {
        139001: "the flow could not be changed",
        139002: "the flow could not be published",
        139003: "the flow could not be deprecated",
        139004: "the flow could not be deleted",
    },
)
_BLOCKED_USERS: Final = _family(
    "block or unblock the person again later",
    {
        139100: "some people could not be blocked",
        139101: "the list of blocked people is full",
        139102: "the list of blocked people was changed at the same time",
        139103: "an error of Meta's while blocking",
    },
)
_CALLS: Final = _family(
    "correct the call settings of the number, or call later",
    {
        138000: "calling is not enabled for this number",
        138001: "the person can't be called",
        138002: "too many calls at the same time",
        138003: "the call exists already",
        138004: "the call could not be connected",
        138005: "too many calls in a short time",
        138006: "the person has not permitted calls",
        138007: "the call was not connected in time",
        138009: "the person was asked too often for the permission to call",
        138012: "the business has called too often today",
        138013: "the permission to call was looked up too often",
        138018: "calling can't be enabled for this number",
    },
)
_GROUPS: Final = _family(
    "correct the group, or what is asked of it",
    {
        131020: "the group is not valid",
        131041: "the group is not known",
        131059: "the cursor of the groups' list is not valid",
        131201: "the request about the group was done in parts only",
        131202: "the participant is in the group twice",
        131204: "the group has too many participants",
        131207: "the group is suspended",
        131209: "the group's picture has a wrong aspect ratio",
        131210: "the group's picture is too small",
        131211: "no more groups may be created",
        131212: "the participant is not in the group",
        131213: "the request to join does not exist",
        131214: "groups can't be created for the time being",
        131215: "the number may not use groups",
    },
)
_GROUP_LIMIT: Final = CodePolicy(
    "too many requests about groups", "send less to groups; only this group waits", PYWA, Action.RETRY, MINUTES
)
_TEMPLATES: Final = _family(
    "correct the template in the WhatsApp Manager",
    {
        2388019: "the account has too many templates",
        2388040: "a part of the template is too long",
        2388047: "the format of the template's header or body is wrong",
        2388073: "the format of the template's footer is wrong",
        2388293: "the template has too many parameters for its words",
        2388299: "a parameter stands at the beginning or the end of the template",
    },
)
_USERNAMES: Final = _family(
    "choose another username, or link the account first",
    {
        147001: "the username is not available",
        147002: "the account may not ask for a username",
        147003: "the account is not linked to Facebook",
        147004: "the account is not linked to Instagram",
        147005: "the username has to be transferred first",
    },
)
_MIGRATION: Final = _family(
    "see the number in the WhatsApp Manager",
    {
        2388012: "the number exists already",
        2388091: "the number may not get a registration code",
        2388093: "the number may not get a registration code",
        2388103: "the number can't be moved",
    },
)
_SIGNUP: Final = _family(
    "correct the signup in the app's dashboard",
    {
        2494164: "the signup was not found",
        2494165: "the signup can't be reached",
        2494166: "the signup has an unknown placeholder",
        2494167: "a placeholder of the signup has no value",
        2494168: "the terms of service are not accepted",
        2494176: "the terms of service are accepted already",
        2494177: "the link to the terms of service is not allowed",
        2494179: "the website's link has a scheme that is not allowed",
    },
)

FAMILIES: Final[Mapping[int, CodePolicy]] = MappingProxyType(
    {
        **_FLOWS,
        **_BLOCKED_USERS,
        **_CALLS,
        **_GROUPS,
        131208: _GROUP_LIMIT,
        **_TEMPLATES,
        **_USERNAMES,
        **_MIGRATION,
        **_SIGNUP,
    }
)
