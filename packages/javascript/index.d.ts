/** The account or zone that tokens belong to: its identifier, as the dashboard shows it. */
export type Scope = { account: string } | { zone: string };

/** How to find a token without its id. Names are not unique. */
export type Selector = { name: string } | { clientId: string };

/**
 * What becomes of the old secret when `rotate` makes a new one. `"expires-now"` locks out every machine that still uses it;
 * `expiresAt` (RFC 3339) lets it pass until then.
 */
export type PreviousSecret = "expires-now" | { expiresAt: string };

/** A service token as the API shows it, without its secret. A field that the answer did not carry is undefined. */
export interface ServiceToken {
  /** The identifier that the functions take. Not the client id. */
  id: string;
  /** What a machine sends as `CF-Access-Client-Id`. Public. */
  clientId?: string;
  name?: string;
  /** A Go duration such as `8760h`, or `forever`. */
  duration?: string;
  /** False once the token is switched off. */
  enabled?: boolean;
  /** When Access stops accepting the token, RFC 3339 as are all times. Set even where `duration` is `forever`. */
  expiresAt?: string;
  createdAt?: string;
  updatedAt?: string;
  /** When the token last passed Access. */
  lastSeenAt?: string;
  /** Counts the secrets that the token has had, from 1. */
  clientSecretVersion?: number;
  /** Until when the secret before the current one still passes. */
  previousClientSecretExpiresAt?: string;
  /** Every other field of the answer. */
  additionalFields: JsonField[];
}

/** A field of an answer that has no place of its own. */
export interface JsonField {
  name: string;
  /** Its value as JSON text. */
  json: string;
}

/** A token with its new secret, **which the API shows once. Store it before anything else.** */
export interface IssuedToken {
  token: ServiceToken;
  /** What a machine sends as `CF-Access-Client-Secret`. */
  clientSecret: string;
}

/** A changed token. */
export interface UpdatedToken {
  token: ServiceToken;
  /** The new secret, exactly when `clientSecretVersion` was raised. */
  clientSecret?: string;
}

/** `already-gone`: a repeat after a lost answer found no such token, so an earlier attempt may have deleted it. */
export type Deletion = { result: "deleted"; token: ServiceToken } | { result: "already-gone" };

/** What a new token is made from. The API's default applies to a field that is left out. */
export interface CreateParams {
  name: string;
  /** `forever`, or a Go duration with `h` as its largest unit, such as `8760h`. */
  duration?: string;
  enabled?: boolean;
  clientSecretVersion?: number;
  previousClientSecretExpiresAt?: string;
}

/** What to change. A field that is left out stays as it is. */
export interface UpdateParams {
  name?: string;
  /** Moves `expiresAt` to now plus the duration, even if it is unchanged. */
  duration?: string;
  /** False switches the token off at once, and ends the grace period of a previous secret. */
  enabled?: boolean;
  /** A number above the current one makes a new secret, which the answer carries. */
  clientSecretVersion?: number;
  /** Until when the previous secret passes. */
  previousClientSecretExpiresAt?: string;
}

export interface ListPageParams {
  name?: string;
  /** Text that must appear in some field. */
  search?: string;
  /** From 1. */
  page?: number;
  /** From 1. */
  perPage?: number;
}

export type ListAllParams = Omit<ListPageParams, "page">;

/** One page of a list. A number that the API did not send is undefined. */
export interface TokenPage {
  tokens: ServiceToken[];
  page?: number;
  perPage?: number;
  count?: number;
  totalCount?: number;
  totalPages?: number;
  /** The page to ask for next; undefined when this is the last one. */
  nextPage?: number;
}

/** The tokens of a scope, by what their expiry means. Every token is in exactly one list or counted in `later`. */
export interface ExpiryReport {
  /** The time that the report was computed for. */
  now: string;
  /** `server` where the clock of this machine differs from the API's by more than a minute. */
  clock: "host" | "server";
  /** Enabled tokens that expire within the window or have expired, soonest first. */
  expiring: ExpiringToken[];
  /** The same for tokens that are disabled. */
  disabled: ExpiringToken[];
  /** Tokens whose duration is `forever`. */
  forever: ServiceToken[];
  /** Tokens whose answer has no expiry that can be read. */
  unreadable: ServiceToken[];
  /** The number of tokens that live longer than the window. */
  later: number;
}

export interface ExpiringToken {
  token: ServiceToken;
  /** Negative once the token has expired. */
  secondsLeft: number;
}

export interface RefreshParams {
  /** 0 to 31449600. */
  withinSeconds: number;
  /** Only tokens with exactly this name. */
  name?: string;
  /** Whether expired tokens are extended, too. **An expired token passes again once it is.** Default: false. */
  includeExpired?: boolean;
}

export interface RefreshReport {
  /** The time that was used to decide. */
  now: string;
  /** The tokens that were due, soonest first. */
  tokens: RefreshedToken[];
}

/** A token that was due, with its new expiry, or with the error of its refresh. */
export type RefreshedToken = { id: string; name?: string } & (
  | { token: ServiceToken; error?: undefined }
  | { token?: undefined; error: AccessError }
);

/** A new secret beside the old one. */
export interface OverlappingToken {
  issued: IssuedToken;
  /** Until when the old secret passes. */
  previousSecretExpiresAt: string;
}

export type Ensured =
  | ({ result: "created" } & IssuedToken)
  | { result: "updated"; token: ServiceToken }
  | { result: "unchanged"; token: ServiceToken };

/** How a call is made. Every field has a default. */
export interface RequestOptions {
  /** Default: the credential and the base URL of the environment. */
  endpoint?: Endpoint;
  /** For the whole call. Default: 60000. */
  timeoutMs?: number;
  /** For one attempt. */
  attemptTimeoutMs?: number;
  /** How often a failure that may be repeated is repeated: 0 to 10. Default: 2. */
  maxRetries?: number;
  /** More request headers, such as `traceparent`. */
  headers?: Record<string, string>;
}

/** Another API than that of the environment, with a credential of its own. */
export interface Endpoint {
  credentials: { apiToken: string } | { apiKey: { email: string; key: string } };
  /** Default: the base URL of the environment. */
  baseUrl?: string;
}

/** What went wrong, by what to do about it. */
export type ErrorKind =
  | "invalid-argument"
  | "invalid-configuration"
  | "unauthenticated"
  | "forbidden"
  | "not-found"
  | "conflict"
  | "in-use"
  | "rejected"
  | "rate-limited"
  | "unavailable"
  | "denied-by-host"
  | "connection"
  | "timeout"
  | "invalid-response";

/**
 * Whether the change of a failed call happened.
 *
 * - `not-applied`: certainly not. The call can be made again.
 * - `unknown`: it may have. Look before you repeat: `resolveCreate` after `create`, `get` after a rotation. **Rotating again may end
 *   the last secret that anybody has.**
 * - `applied`: it did, and what the answer carried is lost.
 */
export type Outcome = "not-applied" | "unknown" | "applied";

/** One error as the API reports it. */
export interface ApiError extends ApiErrorCause {
  documentationUrl?: string;
  /** Which part of the request it is about, as a JSON pointer. */
  pointer?: string;
  /** Deeper causes, outermost first. */
  chain: ApiErrorCause[];
}

export interface ApiErrorCause {
  /** Cloudflare's code, never the HTTP status. */
  code?: number;
  message: string;
}

/** Why a call failed, what is known about its effect, and what the API said. Safe to log: it holds no credential and no secret. */
export class AccessError extends Error {
  private constructor();
  readonly name: "AccessError";
  readonly kind: ErrorKind;
  readonly outcome: Outcome;
  /** The HTTP status of the last answer. */
  readonly status?: number;
  readonly apiErrors: ApiError[];
  /** Cloudflare's identifier of the request, for its support. */
  readonly rayId?: string;
  /** How long the API asks to wait. */
  readonly retryAfterMs?: number;
  /** How many requests were sent or tried. */
  readonly attempts: number;
  /** The token concerned, where it is known. */
  readonly tokenId?: string;
  /** After a rotation whose outcome is `unknown` or `applied`: until when the secret before it passes. */
  readonly previousSecretExpiresAt?: string;
}

/**
 * Manages the service tokens of Cloudflare Access. Keeps no state but threads: calls run beside each other and do not block.
 *
 * Every method rejects with an `AccessError` when the call fails, and with a `TypeError` or a `RangeError` for an argument that
 * cannot be one.
 */
export class AccessTokens {
  /**
   * The component is given the variables of `environment` that its contract names, such as `CLOUDFLARE_API_TOKEN`, and no others; by
   * default those of the process. At most `concurrency` calls run at once (default 4), others wait.
   */
  constructor(settings?: { environment?: Record<string, string | undefined>; concurrency?: number });

  /** Ends the threads. Idle threads do not keep the process, so a program need not call this. */
  close(): Promise<void>;

  /** Returns one page of the tokens of a scope. */
  listPage(scope: Scope, params?: ListPageParams, options?: RequestOptions): Promise<TokenPage>;

  /** Returns all tokens of a scope. */
  listAll(scope: Scope, params?: ListAllParams, options?: RequestOptions): Promise<ServiceToken[]>;

  /** Returns the token with this id. */
  get(scope: Scope, id: string, options?: RequestOptions): Promise<ServiceToken>;

  /** Makes a token and returns it with its secret. After an error with outcome `unknown` see `resolveCreate`. */
  create(scope: Scope, params: CreateParams, options?: RequestOptions): Promise<IssuedToken>;

  /** Changes the fields that are given and no others. */
  update(scope: Scope, id: string, params: UpdateParams, options?: RequestOptions): Promise<UpdatedToken>;

  /** Revokes a token at once and for good. */
  delete(scope: Scope, id: string, options?: RequestOptions): Promise<Deletion>;

  /** Extends the lifetime of a token by a year from now. Secret and ids stay as they are. */
  refresh(accountId: string, id: string, options?: RequestOptions): Promise<ServiceToken>;

  /** Gives a token a new secret. `rotateWithOverlap` is the better choice for a token that machines use. */
  rotate(accountId: string, id: string, previous: PreviousSecret, options?: RequestOptions): Promise<IssuedToken>;

  /** Reports which tokens expire within this many seconds from now, or have expired. */
  expiring(scope: Scope, withinSeconds: number, options?: RequestOptions): Promise<ExpiryReport>;

  /** Refreshes every enabled token of an account that is due. Each token has a result of its own. */
  refreshExpiring(accountId: string, params: RefreshParams, options?: RequestOptions): Promise<RefreshReport>;

  /**
   * Rotates the secret of a token and lets the old one pass for this many seconds, at least 1.
   *
   * A `conflict` while an overlap is running, unless `endRunningOverlap` is true: a token has at most two secrets, and the older one
   * would end. Outcome `applied`: the new secret is lost, and the old one passes until `previousSecretExpiresAt` of the error.
   */
  rotateWithOverlap(
    scope: Scope,
    id: string,
    overlapSeconds: number,
    options?: RequestOptions & { endRunningOverlap?: boolean },
  ): Promise<OverlappingToken>;

  /** Ends the old secret of a rotation now. */
  endOverlap(scope: Scope, id: string, options?: RequestOptions): Promise<ServiceToken>;

  /** Lets the old secret of a rotation pass for this many seconds from now. A `conflict` where it has ended. */
  extendOverlap(scope: Scope, id: string, overlapSeconds: number, options?: RequestOptions): Promise<ServiceToken>;

  /** Returns the tokens that a selector names, from all pages. */
  find(scope: Scope, selector: Selector, options?: RequestOptions): Promise<ServiceToken[]>;

  /** Makes sure that there is exactly one token with the name of `params`. Several are a `conflict`. */
  ensure(scope: Scope, params: CreateParams, options?: RequestOptions): Promise<Ensured>;

  /**
   * Makes a token in a way that can be repeated until it succeeds: the same call with the same key returns the same token with a new
   * secret. Store the secret, then call `finishIssue`, which gives the token its name.
   */
  issue(accountId: string, params: CreateParams, key: string, options?: RequestOptions): Promise<IssuedToken>;

  /** Gives a token that `issue` made its name, after its secret has been stored. */
  finishIssue(accountId: string, key: string, options?: RequestOptions): Promise<ServiceToken>;

  /**
   * Returns the tokens that a `create` with outcome `unknown` may have made: those with exactly this name that were created at
   * `since` (RFC 3339) or later, or do not say when.
   */
  resolveCreate(scope: Scope, name: string, since: string, options?: RequestOptions): Promise<ServiceToken[]>;

  /** Disables a token: both its secrets stop passing at once, **and the overlap of a rotation ends for good**. */
  disable(scope: Scope, id: string, options?: RequestOptions): Promise<ServiceToken>;

  /** Enables a token again. An overlap that `disable` ended stays ended. */
  enable(scope: Scope, id: string, options?: RequestOptions): Promise<ServiceToken>;
}
