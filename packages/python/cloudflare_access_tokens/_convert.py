"""Dataclasses to the values of wasmtime-py, and back.

wasmtime-py writes a case as `Variant(name, value)`, but as the value alone where Python's types tell the cases apart.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from wasmtime.component import Record, Variant

from .types import (
    AccessError, Account, ApiError, ApiErrorCause, ApiKey, ByClientId, ByName, CreateParams, Deletion, Endpoint, Ensured, ExpiresAt,
    ExpiringToken, ExpiryReport, IssuedToken, JsonField, ListAllParams, ListPageParams, OverlappingToken, PreviousSecret, RefreshedToken,
    RefreshParams, RefreshReport, RequestOptions, Scope, Selector, ServiceToken, TokenPage, UpdatedToken, UpdateParams, Zone,
)


def scope(value: Scope) -> Variant:
    match value:
        case Account():
            return Variant("account", value.id)
        case Zone():
            return Variant("zone", value.id)
    raise TypeError(f"scope is a {type(value).__name__}; it must be an Account or a Zone")


def selector(value: Selector) -> Variant:
    match value:
        case ByName():
            return Variant("name", value.name)
        case ByClientId():
            return Variant("client-id", value.client_id)
    raise TypeError(f"selector is a {type(value).__name__}; it must be a ByName or a ByClientId")


def previous(value: PreviousSecret) -> str | None:
    return value.time if isinstance(value, ExpiresAt) else None


def params(value: CreateParams | UpdateParams | ListPageParams | ListAllParams | RefreshParams | ApiKey) -> Record:
    """The record of a dataclass whose fields are text, numbers and flags."""
    return _record(**{field.name: getattr(value, field.name) for field in fields(value)})


def options(value: RequestOptions | None) -> Record | None:
    if value is None:
        return None
    headers = None if value.headers is None else [_record(name=name, value=text) for name, text in value.headers.items()]
    return _record(
        endpoint=value.endpoint and _endpoint(value.endpoint),
        timeout_ms=value.timeout_ms,
        attempt_timeout_ms=value.attempt_timeout_ms,
        max_retries=value.max_retries,
        headers=headers,
    )


def _endpoint(value: Endpoint) -> Record:
    given = value.credentials
    return _record(credentials=params(given) if isinstance(given, ApiKey) else given, base_url=value.base_url)


def _record(**values: Any) -> Record:
    made = Record()
    for name, value in values.items():
        setattr(made, name.replace("_", "-"), u32(name, value) if type(value) is int else value)
    return made


def u32(name: str, value: int) -> int:
    """Refuses a number that wasmtime-py would change, because the contract's have 32 bits."""
    if not 0 <= value < 2**32:
        raise ValueError(f"{name} is {value}; it must be from 0 to 4294967295")
    return value


def _values(record: Record) -> dict[str, Any]:
    return {name.replace("-", "_"): value for name, value in vars(record).items()}


def token(record: Record) -> ServiceToken:
    values = _values(record)
    return ServiceToken(**values | {"additional_fields": [JsonField(**_values(field)) for field in values["additional_fields"]]})


def tokens(records: list[Record]) -> list[ServiceToken]:
    return [token(record) for record in records]


def issued(record: Record) -> IssuedToken:
    values = _values(record)
    return IssuedToken(token(values["token"]), values["client_secret"])


def updated(record: Record) -> UpdatedToken:
    values = _values(record)
    return UpdatedToken(token(values["token"]), values["client_secret"])


def page(record: Record) -> TokenPage:
    values = _values(record)
    return TokenPage(**values | {"tokens": tokens(values["tokens"])})


def deletion(record: Record | None) -> Deletion:
    return Deletion("already-gone", None) if record is None else Deletion("deleted", token(record))


def ensured(variant: Variant) -> Ensured:
    if variant.tag == "created":
        created = issued(variant.payload)
        return Ensured("created", created.token, created.client_secret)
    return Ensured("updated" if variant.tag == "updated" else "unchanged", token(variant.payload), None)


def overlapping(record: Record) -> OverlappingToken:
    values = _values(record)
    return OverlappingToken(issued(values["issued"]), values["previous_secret_expires_at"])


def expiry_report(record: Record) -> ExpiryReport:
    values = _values(record)
    for name in ("expiring", "disabled"):
        values[name] = [ExpiringToken(token(item["token"]), item["seconds_left"]) for item in map(_values, values[name])]
    return ExpiryReport(**values | {"forever": tokens(values["forever"]), "unreadable": tokens(values["unreadable"])})


def refresh_report(record: Record) -> RefreshReport:
    values = _values(record)
    return RefreshReport(values["now"], [_refreshed(item) for item in values["tokens"]])


def _refreshed(record: Record) -> RefreshedToken:
    values = _values(record)
    result = values["refreshed"]
    refreshed = token(result.payload) if result.tag == "ok" else error(result.payload)
    return RefreshedToken(values["id"], values["name"], refreshed)


def error(record: Record) -> AccessError:
    values = _values(record)
    return AccessError(**values | {"api_errors": [_api_error(item) for item in values["api_errors"]]})


def _api_error(record: Record) -> ApiError:
    values = _values(record)
    return ApiError(**values | {"chain": [ApiErrorCause(**_values(cause)) for cause in values["chain"]]})
