"""Manages the service tokens of Cloudflare Access, by the component `cloudflare_access.wasm` in wasmtime.

    access = AccessTokens()  # reads CLOUDFLARE_API_TOKEN
    issued = access.create(Account(account_id), CreateParams("CI pipeline", duration="8760h"))

A call that fails raises an `AccessError`, whose `outcome` says whether the change happened.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from . import _convert as convert
from ._component import LIFECYCLE, SERVICE_TOKENS, Component, Failure
from .types import (
    AccessError as AccessError, Account as Account, ApiError as ApiError, ApiErrorCause as ApiErrorCause, ApiKey as ApiKey,
    ByClientId as ByClientId, ByName as ByName, CreateParams as CreateParams, Deletion as Deletion, Endpoint as Endpoint,
    Ensured as Ensured, ExpiresAt as ExpiresAt, ExpiresNow as ExpiresNow, ExpiringToken as ExpiringToken, ExpiryReport as ExpiryReport,
    IssuedToken as IssuedToken, JsonField as JsonField, Kind as Kind, ListAllParams as ListAllParams, ListPageParams as ListPageParams,
    Outcome as Outcome, OverlappingToken as OverlappingToken, PreviousSecret as PreviousSecret, RefreshedToken as RefreshedToken,
    RefreshParams as RefreshParams, RefreshReport as RefreshReport, RequestOptions as RequestOptions, Scope as Scope,
    Selector as Selector, ServiceToken as ServiceToken, TokenPage as TokenPage, UpdatedToken as UpdatedToken,
    UpdateParams as UpdateParams, Zone as Zone,
)

VARIABLES = (
    "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY", "CLOUDFLARE_EMAIL", "CLOUDFLARE_BASE_URL", "CLOUDFLARE_API_BASE_URL",
    "CLOUDFLARE_COMPLIANCE_REGION", "CLOUDFLARE_ACCESS_SCOPE", "CLOUDFLARE_ACCESS_OPERATIONS",
)
"""The variables that the component reads. It is given these and no others."""


class AccessTokens:
    """The functions of the component. Keeps no state: threads may share it, and each call runs beside the others.

    The component is given the variables of `environment` that its contract names, by default those of the process.
    A call blocks its thread until it ends; with asyncio use `asyncio.to_thread`.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        given = os.environ if environment is None else environment
        self._component = Component({name: given[name] for name in VARIABLES if name in given})

    def list_page(self, scope: Scope, params: ListPageParams | None = None, options: RequestOptions | None = None) -> TokenPage:
        """Returns one page of the tokens of a scope."""
        wanted = convert.params(params or ListPageParams())
        return convert.page(self._call(SERVICE_TOKENS, "list-page", options, convert.scope(scope), wanted))

    def list_all(self, scope: Scope, params: ListAllParams | None = None, options: RequestOptions | None = None) -> list[ServiceToken]:
        """Returns all tokens of a scope."""
        wanted = convert.params(params or ListAllParams())
        return convert.tokens(self._call(SERVICE_TOKENS, "list-all", options, convert.scope(scope), wanted))

    def get(self, scope: Scope, id: str, options: RequestOptions | None = None) -> ServiceToken:
        """Returns the token with this id."""
        return convert.token(self._call(SERVICE_TOKENS, "get", options, convert.scope(scope), id))

    def create(self, scope: Scope, params: CreateParams, options: RequestOptions | None = None) -> IssuedToken:
        """Makes a token and returns it with its secret. After an error with outcome `unknown` see `resolve_create`."""
        return convert.issued(self._call(SERVICE_TOKENS, "create", options, convert.scope(scope), convert.params(params)))

    def update(self, scope: Scope, id: str, params: UpdateParams, options: RequestOptions | None = None) -> UpdatedToken:
        """Changes the fields that are given and no others."""
        return convert.updated(self._call(SERVICE_TOKENS, "update", options, convert.scope(scope), id, convert.params(params)))

    def delete(self, scope: Scope, id: str, options: RequestOptions | None = None) -> Deletion:
        """Revokes a token at once and for good."""
        return convert.deletion(self._call(SERVICE_TOKENS, "delete", options, convert.scope(scope), id))

    def refresh(self, account_id: str, id: str, options: RequestOptions | None = None) -> ServiceToken:
        """Extends the lifetime of a token by a year from now. Secret and ids stay as they are."""
        return convert.token(self._call(SERVICE_TOKENS, "refresh", options, account_id, id))

    def rotate(self, account_id: str, id: str, previous: PreviousSecret, options: RequestOptions | None = None) -> IssuedToken:
        """Gives a token a new secret. `rotate_with_overlap` is the better choice for a token that machines use."""
        return convert.issued(self._call(SERVICE_TOKENS, "rotate", options, account_id, id, convert.previous(previous)))

    def expiring(self, scope: Scope, within_seconds: int, options: RequestOptions | None = None) -> ExpiryReport:
        """Reports which tokens expire within this many seconds from now, or have expired."""
        window = convert.u32("within_seconds", within_seconds)
        return convert.expiry_report(self._call(LIFECYCLE, "expiring", options, convert.scope(scope), window))

    def refresh_expiring(self, account_id: str, params: RefreshParams, options: RequestOptions | None = None) -> RefreshReport:
        """Refreshes every enabled token of an account that is due. Each token has a result of its own."""
        return convert.refresh_report(self._call(LIFECYCLE, "refresh-expiring", options, account_id, convert.params(params)))

    def rotate_with_overlap(
        self, scope: Scope, id: str, overlap_seconds: int, options: RequestOptions | None = None, *, end_running_overlap: bool = False
    ) -> OverlappingToken:
        """Rotates the secret of a token and lets the old one pass for this many seconds, at least 1.

        A `conflict` while an overlap is running, unless `end_running_overlap` is true: a token has at most two secrets, and the older
        one would end. Outcome `applied`: the new secret is lost, and the old one passes until `previous_secret_expires_at` of the error.
        """
        arguments = convert.scope(scope), id, convert.u32("overlap_seconds", overlap_seconds), end_running_overlap
        return convert.overlapping(self._call(LIFECYCLE, "rotate-with-overlap", options, *arguments))

    def end_overlap(self, scope: Scope, id: str, options: RequestOptions | None = None) -> ServiceToken:
        """Ends the old secret of a rotation now."""
        return convert.token(self._call(LIFECYCLE, "end-overlap", options, convert.scope(scope), id))

    def extend_overlap(self, scope: Scope, id: str, overlap_seconds: int, options: RequestOptions | None = None) -> ServiceToken:
        """Lets the old secret of a rotation pass for this many seconds from now. A `conflict` where it has ended."""
        seconds = convert.u32("overlap_seconds", overlap_seconds)
        return convert.token(self._call(LIFECYCLE, "extend-overlap", options, convert.scope(scope), id, seconds))

    def find(self, scope: Scope, selector: Selector, options: RequestOptions | None = None) -> list[ServiceToken]:
        """Returns the tokens that a selector names, from all pages."""
        return convert.tokens(self._call(LIFECYCLE, "find", options, convert.scope(scope), convert.selector(selector)))

    def ensure(self, scope: Scope, params: CreateParams, options: RequestOptions | None = None) -> Ensured:
        """Makes sure that there is exactly one token with the name of `params`. Several are a `conflict`."""
        return convert.ensured(self._call(LIFECYCLE, "ensure", options, convert.scope(scope), convert.params(params)))

    def issue(self, account_id: str, params: CreateParams, key: str, options: RequestOptions | None = None) -> IssuedToken:
        """Makes a token in a way that can be repeated until it succeeds: the same call with the same key returns the same token with a
        new secret. Store the secret, then call `finish_issue`, which gives the token its name."""
        return convert.issued(self._call(LIFECYCLE, "issue", options, account_id, convert.params(params), key))

    def finish_issue(self, account_id: str, key: str, options: RequestOptions | None = None) -> ServiceToken:
        """Gives a token that `issue` made its name, after its secret has been stored."""
        return convert.token(self._call(LIFECYCLE, "finish-issue", options, account_id, key))

    def resolve_create(self, scope: Scope, name: str, since: str, options: RequestOptions | None = None) -> list[ServiceToken]:
        """Returns the tokens that a `create` with outcome `unknown` may have made: those with exactly this name that were created at
        `since` (RFC 3339) or later, or do not say when."""
        return convert.tokens(self._call(LIFECYCLE, "resolve-create", options, convert.scope(scope), name, since))

    def disable(self, scope: Scope, id: str, options: RequestOptions | None = None) -> ServiceToken:
        """Disables a token: both its secrets stop passing at once, and the overlap of a rotation ends for good."""
        return convert.token(self._call(LIFECYCLE, "disable", options, convert.scope(scope), id))

    def enable(self, scope: Scope, id: str, options: RequestOptions | None = None) -> ServiceToken:
        """Enables a token again. An overlap that `disable` ended stays ended."""
        return convert.token(self._call(LIFECYCLE, "enable", options, convert.scope(scope), id))

    def _call(self, interface: str, name: str, options: RequestOptions | None, *arguments: Any) -> Any:
        try:
            return self._component.call(interface, name, *arguments, convert.options(options))
        except Failure as failure:
            raise convert.error(failure.error) from None
