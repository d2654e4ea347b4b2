// The role of this viewer: that of the token or of a signal, which the SDK knows; or one that the room gave
// before this visit, which only its list of roles has. The page asks for the list when a viewer tries a
// command of moderators, so that no request comes from all viewers.

import { type Room } from '@barrage/client';
import { isAtLeast } from './actions.ts';

export class KnownRole {
  #given: string | null = null;
  #asked = false;

  constructor(private readonly room: Room) {}

  get now(): string {
    return isAtLeast(this.room.role, this.#given ?? 'viewer') ? this.room.role : (this.#given ?? 'viewer');
  }

  /** Forgets what the list said: a signal has changed the role. */
  changed(): void {
    this.#given = null;
  }

  /** Reads the list once. Only those who have a role get it. Returns whether the role is another one now. */
  async ask(): Promise<boolean> {
    if (this.#asked || !this.room.canSend) return false;
    this.#asked = true;
    const before = this.now;
    const called = await this.room.call<{ roles?: { user?: unknown; role?: unknown }[] }>({ resource: 'roles' });
    if (called.kind !== 'answered' || !Array.isArray(called.answer.roles)) return false;
    const own = called.answer.roles.find((one) => one?.user === this.room.user);
    this.#given = typeof own?.role === 'string' ? own.role : null;
    return this.now !== before;
  }
}
