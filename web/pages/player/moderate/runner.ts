// Runs actions and commands against the room, and says what became of them.

import { type Composer } from '../compose/composer.ts';
import { type List } from '../log/list.ts';
import { type Senders } from '../log/senders.ts';
import { isKey, isolated, type Key, roleKey, t } from '../page/i18n.ts';
import { countdown } from '../compose/waits.ts';
import { type Kept } from '../settings/settings.ts';
import { type Action, type Room } from '@barrage/client';
import { type Command, readCommand } from './commands.ts';
import { type KnownRole } from './known_role.ts';

export class Runner {
  constructor(
    private readonly room: Room,
    private readonly role: KnownRole,
    private readonly kept: Kept,
    private readonly senders: Senders,
    private readonly list: List,
    private readonly composer: Composer,
  ) {}

  /** Takes an action. Returns whether the server did. */
  async act(action: Action, name: string, reason?: string): Promise<boolean> {
    const acted = await this.room.act(action, reason === undefined ? {} : { reason });
    if (acted.kind === 'refused') {
      this.composer.refused(acted);
      return false;
    }
    this.composer.hint(t(doneKey(action), { user: isolated(name), time: 'secs' in action ? time(action.secs) : '' }));
    return true;
  }

  async report(user: string, sequence: number | null, reason?: string): Promise<boolean> {
    const reported = await this.room.report({ user, ...(sequence === null ? {} : { sequence }), ...(reason === undefined ? {} : { reason }) });
    if (reported.kind === 'refused') this.composer.refused(reported);
    else this.composer.hint(t('reported'));
    return reported.kind === 'reported';
  }

  block(user: string, name: string): void {
    this.kept.block(user, name);
    this.composer.hint(t('blocked', { name: isolated(name) }));
  }

  /** Runs the command in the text box. Returns whether its text is done with. */
  async command(text: string): Promise<boolean> {
    const find = (of: string) => this.senders.find(of);
    const read = (): Command => readCommand(text, this.role.now, find, t);
    const command = read();
    if (command.kind === 'forbidden' && (await this.role.ask())) return this.#run(read());
    return this.#run(command);
  }

  async #run(command: Command): Promise<boolean> {
    switch (command.kind) {
      case 'act':
        return this.act(command.action, command.name, command.reason);
      case 'report':
        return this.report(command.user, command.sequence, command.reason);
      case 'block':
        this.block(command.user, command.name);
        return true;
      case 'unblock':
        this.kept.unblock(command.user);
        this.list.filter();
        return true;
      case 'unknown':
        return this.#say(t('commandUnknown', { name: command.name }));
      case 'forbidden':
        return this.#say(t('commandForbidden', { name: command.name, role: t(roleKey(command.role) ?? 'viewer') }));
      case 'usage':
        return this.#say(t('commandUsage', { usage: command.usage }));
      case 'no_message':
        return this.#say(t('commandNoMessage', { user: isolated(command.user) }));
    }
  }

  #say(words: string): false {
    this.composer.hint(words, true);
    return false;
  }
}

function time(secs: number): string {
  const { key, values } = countdown(secs);
  return t(key, values);
}

/** Returns the text key of what an action has done. */
function doneKey(action: Action): Key {
  const key = `done_${action.type}`;
  return isKey(key) ? key : 'done_other';
}
