"""The records of the contract as dataclasses. Their fields have its names; what the API did not send is None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias


@dataclass(frozen=True)
class Account:
    """The account that tokens belong to."""

    id: str


@dataclass(frozen=True)
class Zone:
    """The zone that tokens belong to: an older home, without `refresh` and `rotate`."""

    id: str


Scope: TypeAlias = Account | Zone


@dataclass(frozen=True)
class ByName:
    """Selects tokens by their exact name. Names are not unique."""

    name: str


@dataclass(frozen=True)
class ByClientId:
    """Selects a token by what machines send as `CF-Access-Client-Id`."""

    client_id: str


Selector: TypeAlias = ByName | ByClientId


@dataclass(frozen=True)
class ExpiresNow:
    """The old secret stops passing at once, and locks out every machine that still uses it."""


@dataclass(frozen=True)
class ExpiresAt:
    """The old secret passes until this time, RFC 3339."""

    time: str


PreviousSecret: TypeAlias = ExpiresNow | ExpiresAt


@dataclass(frozen=True)
class JsonField:
    """A field of an answer that has no place of its own; `json` is its value as JSON text."""

    name: str
    json: str


@dataclass(frozen=True)
class ServiceToken:
    """A service token as the API shows it, without its secret. Times are RFC 3339."""

    id: str
    """The identifier that the methods take. Not the client id."""
    client_id: str | None
    """What a machine sends as `CF-Access-Client-Id`. Public."""
    name: str | None
    duration: str | None
    """A Go duration such as `8760h`, or `forever`."""
    enabled: bool | None
    expires_at: str | None
    created_at: str | None
    updated_at: str | None
    last_seen_at: str | None
    """When the token last passed Access."""
    client_secret_version: int | None
    """Counts the secrets that the token has had, from 1."""
    previous_client_secret_expires_at: str | None
    """Until when the secret before the current one still passes."""
    additional_fields: list[JsonField]
    """Every other field of the answer."""


@dataclass(frozen=True)
class IssuedToken:
    """A token with its new secret, which the API shows once. Store it before anything else."""

    token: ServiceToken
    client_secret: str = field(repr=False)
    """What a machine sends as `CF-Access-Client-Secret`."""


@dataclass(frozen=True)
class UpdatedToken:
    """A changed token, and its new secret exactly when `client_secret_version` was raised."""

    token: ServiceToken
    client_secret: str | None = field(repr=False)


@dataclass(frozen=True)
class Deletion:
    """The result of `delete`. `already-gone`: a repeat after a lost answer found no such token, so an earlier attempt may have deleted it."""

    result: Literal["deleted", "already-gone"]
    token: ServiceToken | None


@dataclass(frozen=True)
class CreateParams:
    """What a new token is made from. The API's default applies to what is None."""

    name: str
    duration: str | None = None
    """`forever`, or a Go duration with `h` as its largest unit, such as `8760h`."""
    enabled: bool | None = None
    client_secret_version: int | None = None
    previous_client_secret_expires_at: str | None = None


@dataclass(frozen=True)
class UpdateParams:
    """What to change. What is None stays as it is."""

    name: str | None = None
    duration: str | None = None
    """Moves `expires_at` to now plus the duration, even if it is unchanged."""
    enabled: bool | None = None
    client_secret_version: int | None = None
    """A number above the current one makes a new secret, which the answer carries."""
    previous_client_secret_expires_at: str | None = None


@dataclass(frozen=True)
class ListPageParams:
    """Which tokens `list_page` returns. Pages count from 1."""

    name: str | None = None
    search: str | None = None
    page: int | None = None
    per_page: int | None = None


@dataclass(frozen=True)
class ListAllParams:
    """Which tokens `list_all` returns, and how many a request fetches."""

    name: str | None = None
    search: str | None = None
    per_page: int | None = None


@dataclass(frozen=True)
class TokenPage:
    """One page of a list. The numbers are the API's; `next_page` is None on the last page."""

    tokens: list[ServiceToken]
    page: int | None
    per_page: int | None
    count: int | None
    total_count: int | None
    total_pages: int | None
    next_page: int | None


@dataclass(frozen=True)
class ExpiringToken:
    """A token and the seconds until it expires, negative once it has."""

    token: ServiceToken
    seconds_left: int


@dataclass(frozen=True)
class ExpiryReport:
    """The tokens of a scope by what their expiry means. Every token is in exactly one list or counted in `later`."""

    now: str
    clock: Literal["host", "server"]
    """`server` where the clock of this machine differs from the API's by more than a minute."""
    expiring: list[ExpiringToken]
    """Enabled tokens that expire within the window or have expired, soonest first."""
    disabled: list[ExpiringToken]
    forever: list[ServiceToken]
    unreadable: list[ServiceToken]
    later: int


@dataclass(frozen=True)
class RefreshParams:
    """Which tokens `refresh_expiring` extends. An expired token passes again once it is extended."""

    within_seconds: int
    name: str | None = None
    include_expired: bool = False


@dataclass(frozen=True)
class RefreshedToken:
    """A token that was due: `refreshed` is the token with its new expiry, or the error of its refresh."""

    id: str
    name: str | None
    refreshed: ServiceToken | AccessError


@dataclass(frozen=True)
class RefreshReport:
    """The time that was used to decide, and the tokens that were due, soonest first."""

    now: str
    tokens: list[RefreshedToken]


@dataclass(frozen=True)
class OverlappingToken:
    """A new secret beside the old one, and until when the old one passes."""

    issued: IssuedToken
    previous_secret_expires_at: str


@dataclass(frozen=True)
class Ensured:
    """The result of `ensure`. The secret is there exactly when a token was created."""

    result: Literal["created", "updated", "unchanged"]
    token: ServiceToken
    client_secret: str | None = field(repr=False)


@dataclass(frozen=True)
class ApiKey:
    """The global API key of a user."""

    email: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class Endpoint:
    """Another API than that of the environment, with a credential of its own: an API token or an API key."""

    credentials: str | ApiKey = field(repr=False)
    base_url: str | None = None
    """Default: the base URL of the environment."""


@dataclass(frozen=True)
class RequestOptions:
    """How a call is made. Every field has a default."""

    endpoint: Endpoint | None = None
    """Default: the credential and the base URL of the environment."""
    timeout_ms: int | None = None
    """For the whole call. Default: 60000."""
    attempt_timeout_ms: int | None = None
    max_retries: int | None = None
    """How often a failure that may be repeated is repeated: 0 to 10. Default: 2."""
    headers: Mapping[str, str] | None = None
    """More request headers, such as `traceparent`."""


Kind: TypeAlias = Literal[
    "invalid-argument", "invalid-configuration", "unauthenticated", "forbidden", "not-found", "conflict", "in-use",
    "rejected", "rate-limited", "unavailable", "denied-by-host", "connection", "timeout", "invalid-response",
]
"""What went wrong, by what to do about it."""

Outcome: TypeAlias = Literal["not-applied", "unknown", "applied"]
"""Whether the change of a failed call happened.

`not-applied`: certainly not; the call can be made again. `unknown`: it may have; look before you repeat, with `resolve_create` after
`create`, and with `get` after a rotation: rotating again may end the last secret that anybody has. `applied`: it did, and what the
answer carried is lost.
"""


@dataclass(frozen=True)
class ApiErrorCause:
    """A cause below an `ApiError`."""

    code: int | None
    message: str


@dataclass(frozen=True)
class ApiError:
    """One error as the API reports it. `code` is Cloudflare's, never the HTTP status."""

    code: int | None
    message: str
    documentation_url: str | None
    pointer: str | None
    """Which part of the request it is about, as a JSON pointer."""
    chain: list[ApiErrorCause]
    """Deeper causes, outermost first."""


class AccessError(Exception):
    """Why a call failed, what is known about its effect, and what the API said. Safe to log: it holds no credential and no secret."""

    def __init__(
        self,
        *,
        kind: Kind,
        outcome: Outcome,
        message: str,
        status: int | None,
        api_errors: list[ApiError],
        ray_id: str | None,
        retry_after_ms: int | None,
        attempts: int,
        token_id: str | None,
        previous_secret_expires_at: str | None,
    ) -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.outcome: Outcome = outcome
        self.message = message
        self.status = status
        """The HTTP status of the last answer."""
        self.api_errors = api_errors
        self.ray_id = ray_id
        """Cloudflare's identifier of the request, for its support."""
        self.retry_after_ms = retry_after_ms
        """How long the API asks to wait."""
        self.attempts = attempts
        """How many requests were sent or tried."""
        self.token_id = token_id
        self.previous_secret_expires_at = previous_secret_expires_at
        """After a rotation whose outcome is `unknown` or `applied`: until when the secret before it passes."""
