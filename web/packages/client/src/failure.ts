// Why a connect failed, with the time after which another may succeed.

export class Failure extends Error {
  constructor(
    /** A code of the server; `token` for the caller's function, `network` where no server answered. */
    readonly code: string,
    message: string,
    readonly retryMs = 0,
  ) {
    super(message);
  }
}

/** Returns an error as a failure. */
export function failureOf(error: unknown): Failure {
  return error instanceof Failure ? error : new Failure('network', String(error));
}

/** Whether the room is missing or closed: a retry helps only after that has changed. */
export function isNoRoom(code: string): boolean {
  return code === 'unknown_room' || code === 'room_closed';
}
