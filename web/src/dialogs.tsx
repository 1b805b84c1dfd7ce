// The dialogs: are you sure, keys, the own password, users.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { get, post, type SessionInfo } from './api';
import * as format from './format';
import { type Model, rejectedOf, type Server } from './model';

interface DialogProps {
  title: string;
  close: () => void;
  wide?: boolean;
  children: ComponentChildren;
}

function Dialog({ title, close, wide, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    dialog.current?.showModal();
    dialog.current?.querySelector<HTMLElement>('[data-focus]')?.focus();
    return () => before?.focus();
  }, []);
  return (
    <dialog
      ref={dialog}
      class={wide ? 'wide' : undefined}
      aria-labelledby="dialog-title"
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
    >
      <h2 id="dialog-title">{title}</h2>
      {children}
    </dialog>
  );
}

export function ConfirmHalt({ server, confirm, close }: { server: Server; confirm: () => void; close: () => void }) {
  const live =
    server.connections === null
      ? 'Connections that it has cannot be counted in direct routing; they are cut too.'
      : server.connections === 0
        ? 'It has no connection now.'
        : `It has ${format.count(server.connections)} ${server.connections === 1 ? 'connection, which is' : 'connections, which are'} cut after the grace period.`;
  return (
    <Dialog title={`Halt ${server.name}?`} close={close}>
      <p>It gets no new clients, and its checks stop. {live}</p>
      <p>Drain lets its clients finish instead.</p>
      <div class="buttons">
        <button data-focus onClick={close}>Cancel</button>
        <button class="danger solid" onClick={confirm}>Halt</button>
      </div>
    </Dialog>
  );
}

const kKeys: [string, string][] = [
  ['/', 'filter'],
  ['j  k', 'next, previous row'],
  ['Enter', 'open or close a VIP'],
  ['i', 'everything about the row'],
  ['d', 'drain the real server of the row'],
  ['o', 'take it back online'],
  ['h', 'halt it (asks first)'],
  ['g o', 'overview'],
  ['g e', 'events'],
  ['Esc', 'clear the filter, close a dialog'],
  ['?', 'this help'],
];

export function Help({ close }: { close: () => void }) {
  return (
    <Dialog title="Keys" close={close}>
      <dl class="keys">
        {kKeys.map(([key, what]) => (
          <div key={key}>
            <dt><kbd>{key}</kbd></dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <div class="buttons"><button data-focus onClick={close}>Close</button></div>
    </Dialog>
  );
}

type Fact = [name: string, value: string];

function factsOfVip(model: Model, id: string): Fact[] {
  const vip = model.vips.get(id);
  if (vip === undefined) return [];
  const limit = vip.maxConnections === 0 ? 'none' : format.count(vip.maxConnections);
  const rejected = Object.entries(vip.rejections).map(([why, count]) => `${why} ${format.count(count)}`);
  return [
    ['State', [vip.word, vip.reason].filter(Boolean).join(': ')],
    ['Addresses', vip.addresses.map((one) => [one.address, one.interface && `on ${one.interface}`, one.announcement].filter(Boolean).join(' ')).join(', ')],
    ['Ports', `${vip.protocol} ${vip.ports}`],
    ['Mode', vip.mode],
    ['Scheduler', vip.scheduler],
    ['Persistence', vip.persistence],
    ['Health check', vip.healthCheck],
    ['Real servers', `${vip.taking} of ${model.serversOf.get(id)?.length ?? 0} take new clients`],
    ['Connections', `${vip.connections === null ? 'not knowable in direct routing' : format.count(vip.connections)}, ${format.count(vip.connectionsTotal)} since the start; limit ${limit}`],
    ['Turned away', rejectedOf(vip) === 0 ? 'nobody' : rejected.join(', ')],
    ['Written in', vip.location],
  ];
}

function factsOfServer(model: Model, id: string): Fact[] {
  const server = model.servers.get(id);
  if (server === undefined) return [];
  const vip = model.vips.get(server.vip);
  const limit = server.maxConnections === 0 ? 'none' : format.count(server.maxConnections);
  const since = server.healthSince === null ? '' : `, since ${format.moment(server.healthSince)}`;
  return [
    ['State', [server.word, server.reason].filter(Boolean).join(': ')],
    ['VIP', server.vip.slice(2)],
    ['Address', [server.hostName, server.address].filter(Boolean).join(' = ') + (server.port === 0 ? '' : `, port ${server.port}`)],
    ['Health', server.health + since],
    ['Wanted', server.setHere ? `${server.state}, set here (the manifest says ${server.stateInManifest})` : `${server.state}, by the manifest`],
    ['Weight', server.weightEffective === server.weight ? `${server.weight}` : `${server.weight}, now ${Math.round(server.weightEffective)}`],
    ['Reached by', server.way + (server.wayReason === '' ? '' : `: ${server.wayReason}`)],
    ['Connections', `${server.connections === null ? 'not knowable in direct routing' : format.count(server.connections)}, ${format.count(server.connectionsTotal)} since the start; limit ${limit}`],
    ['Failed connects', format.count(server.connectFailuresTotal)],
    ['Written in', server.object ? 'an object of its own (RealServer)' : `the VIP, ${vip?.location ?? ''}`],
  ];
}

// Everything that is known of one VIP or real server, in force now, and where it comes from.
export function Details({ model, id, close }: { model: Model; id: string; close: () => void }) {
  const facts = id.startsWith('v ') ? factsOfVip(model, id) : factsOfServer(model, id);
  return (
    <Dialog title={id.startsWith('v ') ? `VIP ${id.slice(2)}` : `Real server ${id.split(' ').at(-1)}`} close={close} wide>
      <dl class="facts">
        {facts.length === 0 && <p>It is gone from the configuration.</p>}
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <div class="buttons"><button data-focus onClick={close}>Close</button></div>
    </Dialog>
  );
}

// A form whose submission is a request; what it answers is said in the form.
function useSubmit(send: (field: (name: string) => string) => Promise<string>) {
  const [said, setSaid] = useState<{ ok: boolean; text: string } | null>(null);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const data = new FormData(form);
    try {
      setSaid({ ok: true, text: await send((name) => String(data.get(name) ?? '')) });
      form.reset();
    } catch (failure) {
      setSaid({ ok: false, text: (failure as Error).message });
    }
  };
  const answer =
    said === null ? null : said.ok ? <p role="status">{said.text}</p> : <p role="alert" class="error">{said.text}</p>;
  return { submit, answer };
}

export function Account({ session, close }: { session: SessionInfo; close: () => void }) {
  const { submit, answer } = useSubmit(async (field) => {
    await post('/web/v1/password', { old: field('old'), new: field('new') });
    return 'Changed; your other sessions are signed out.';
  });
  return (
    <Dialog title={`${session.user}, ${session.role}`} close={close}>
      <form onSubmit={submit}>
        <label>
          Present password
          <input data-focus name="old" type="password" required autocomplete="current-password" />
        </label>
        <label>
          New password
          <input name="new" type="password" required minLength={10} autocomplete="new-password" />
        </label>
        {answer}
        <div class="buttons">
          <button type="button" onClick={close}>Close</button>
          <button class="primary">Change password</button>
        </div>
      </form>
      {session.role === 'Operator' && <Users />}
    </Dialog>
  );
}

interface User {
  name: string;
  role: string;
}

function Users() {
  const [users, setUsers] = useState<User[]>([]);
  const load = async () => setUsers((await get<{ users: User[] }>('/web/v1/users')).users);
  useEffect(() => void load(), []);
  const { submit, answer } = useSubmit(async (field) => {
    await post('/web/v1/users', { name: field('name'), role: field('role'), password: field('password') });
    await load();
    return `${field('name')} may sign in.`;
  });
  const remove = useSubmit(async (field) => {
    await post('/web/v1/users', { name: field('name'), role: '' });
    await load();
    return `${field('name')} is removed.`;
  });
  return (
    <section>
      <h3>Users</h3>
      <ul class="users">
        {users.map((user) => (
          <li key={user.name}>
            <form onSubmit={remove.submit}>
              <input type="hidden" name="name" value={user.name} />
              <b>{user.name}</b> {user.role}
              <button class="quiet danger" aria-label={`Remove ${user.name}`}>Remove</button>
            </form>
          </li>
        ))}
      </ul>
      {remove.answer}
      <form onSubmit={submit} class="columns">
        <label>Name<input name="name" required autocomplete="off" autocapitalize="none" spellcheck={false} /></label>
        <label>
          Role
          <select name="role">
            <option value="Viewer">Viewer (sees only)</option>
            <option value="Operator">Operator</option>
          </select>
        </label>
        <label>Password<input name="password" type="password" required minLength={10} autocomplete="new-password" /></label>
        {answer}
        <button class="primary">Add or replace</button>
      </form>
    </section>
  );
}
