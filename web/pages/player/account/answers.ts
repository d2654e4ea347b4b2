// The answers of the account routes (docs/reference/protocol.md, "Accounts"), read and checked. Pure.

/** Whether people may sign in at this server, and the bounds of a registration. */
export interface AccountsInfo {
  enabled: boolean;
  registration: boolean;
  passwordCharsMin: number;
  nameCharsMax: number;
}

/** An account with a new token. */
export interface AccountAnswer {
  user: string;
  name: string;
  token: string;
  tokenExpiresAtMs: number;
  /** Id of the avatar; undefined without one. */
  avatar: string | undefined;
  /** Secret of a new session; null for a token of a session that exists. */
  session: string | null;
}

/** A place where the account is signed in. */
export interface SessionView {
  id: string;
  createdAtMs: number;
  usedAtMs: number;
  /** Whether it is the session of this browser. */
  current: boolean;
}

type Fields = Record<string, unknown>;

export function readInfo(value: unknown): AccountsInfo | null {
  const { enabled, registration, password_chars_min: passwordCharsMin, name_chars_max: nameCharsMax } = fields(value);
  if (typeof enabled !== 'boolean' || typeof registration !== 'boolean') return null;
  if (typeof passwordCharsMin !== 'number' || typeof nameCharsMax !== 'number') return null;
  return { enabled, registration, passwordCharsMin, nameCharsMax };
}

export function readAccount(value: unknown): AccountAnswer | null {
  const { user, name, token, token_expires_at_ms: tokenExpiresAtMs, session = null, avatar } = fields(value);
  if (typeof user !== 'string' || typeof name !== 'string' || typeof token !== 'string') return null;
  if (typeof tokenExpiresAtMs !== 'number' || (session !== null && typeof session !== 'string')) return null;
  return { user, name, token, tokenExpiresAtMs, session, avatar: typeof avatar === 'string' ? avatar : undefined };
}

/** Reads the sessions. One that cannot be read is left out. */
export function readSessions(value: unknown): SessionView[] | null {
  const { sessions } = fields(value);
  if (!Array.isArray(sessions)) return null;
  return sessions.flatMap((one) => {
    const { id, created_at_ms: createdAtMs, used_at_ms: usedAtMs, current } = fields(one);
    if (typeof id !== 'string' || typeof createdAtMs !== 'number' || typeof usedAtMs !== 'number') return [];
    return [{ id, createdAtMs, usedAtMs, current: current === true }];
  });
}

/** Reads how many sessions have ended. */
export function readEnded(value: unknown): number | null {
  const { ended } = fields(value);
  return typeof ended === 'number' ? ended : null;
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
