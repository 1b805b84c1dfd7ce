// The overview: how things stand, in a sentence, in numbers, and row by row.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { EventTable } from './events';
import * as format from './format';
import { List, useNarrow } from './list';
import type { Choice, Group, Model, Server, Show, Sort } from './model';
import { choose, headlineOf, totalsOf } from './model';
import { type Actions, ServerRow, VipRow } from './rows';

type Line = { kind: 'vip'; id: string; count: number; expanded: boolean } | { kind: 'server'; id: string };

// Up to so many rows everything is open; beyond, healthy VIPs are closed until they are asked for.
const kOpenRowsMax = 60;
// While the pointer moves over the rows they keep their places: what is about to be clicked must
// not jump away.
const kHoldMs = 4000;

function linesOf(model: Model, groups: Group[], toggled: ReadonlySet<string>): Line[] {
  const small = model.vips.size + model.servers.size <= kOpenRowsMax;
  const lines: Line[] = [];
  for (const group of groups) {
    const vip = model.vips.get(group.vip);
    if (vip === undefined) continue;
    const open = small || group.byServer || vip.rank !== 'fine';
    const expanded = open !== toggled.has(group.vip);
    const count = model.serversOf.get(group.vip)?.length ?? 0;
    lines.push({ kind: 'vip', id: group.vip, count, expanded });
    if (!expanded) continue;
    for (const id of group.servers) {
      if (model.servers.has(id)) lines.push({ kind: 'server', id });
    }
  }
  return lines;
}

// The groups in the places of `before`, new ones behind.
function keepPlaces(groups: Group[], before: Group[]): Group[] {
  const place = new Map(before.map((group, index) => [group.vip, index]));
  const placeOf = (id: string) => place.get(id) ?? Number.MAX_SAFE_INTEGER;
  const serversBefore = new Map(before.map((group) => [group.vip, group.servers]));
  return groups
    .map((group) => {
      const old = new Map((serversBefore.get(group.vip) ?? []).map((id, index) => [id, index]));
      const servers = group.servers.toSorted(
        (l, r) => (old.get(l) ?? Number.MAX_SAFE_INTEGER) - (old.get(r) ?? Number.MAX_SAFE_INTEGER),
      );
      return { ...group, servers };
    })
    .sort((l, r) => placeOf(l.vip) - placeOf(r.vip));
}

function Totals({ model }: { model: Model }) {
  const totals = totalsOf(model);
  const items: [string, string, string][] = [
    ['VIPs serving', `${totals.vipsServing}`, `of ${totals.vips}`],
    ['Real servers up', `${totals.serversUp}`, `of ${totals.servers}`],
    ['Connections', format.count(totals.connections), ''],
    ['New per second', format.rate(totals.connectionsPerSecond), ''],
    ['From clients', format.bits(totals.bytesFromClient), ''],
    ['To clients', format.bits(totals.bytesToClient), ''],
    ['Turned away', format.count(totals.rejected), ''],
  ];
  return (
    <dl class="totals">
      {items.map(([name, value, of]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            {value}
            {of !== '' && <small> {of}</small>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Notices({ model }: { model: Model }) {
  const notes: { rank: string; text: string }[] = [];
  for (const finding of model.findings) {
    const where = [finding.location, finding.object, finding.field].filter(Boolean).join(': ');
    const rejected = finding.severity === 'error';
    notes.push({ rank: rejected ? 'bad' : 'warning', text: `${rejected ? 'Rejected' : 'Warning'}: ${where}: ${finding.message}` });
  }
  const meta = model.meta;
  for (const stale of meta?.stale ?? []) {
    notes.push({ rank: 'warning', text: `${stale}: the last good version is in force` });
  }
  for (const warning of meta?.warnings ?? []) notes.push({ rank: 'warning', text: `Host: ${warning}` });
  if (meta !== null && meta.engineReason !== '') {
    notes.push({ rank: 'warning', text: `Engine: ${meta.engineReason}` });
  }
  if (notes.length === 0) return null;
  return (
    <details class="notices" open={notes.length <= 3}>
      <summary>
        {notes.length} {notes.length === 1 ? 'notice' : 'notices'} about the configuration and this host
      </summary>
      <ul>
        {notes.map((note) => (
          <li key={note.text} class={note.rank}>{note.text}</li>
        ))}
      </ul>
    </details>
  );
}

interface Props {
  model: Model;
  tick: number;
  choice: Choice;
  setChoice: (choice: Choice) => void;
  mayChange: boolean;
  busy: ReadonlySet<string>;
  change: Actions['change'];
  show: Actions['show'];
}

export function Overview({ model, tick, choice, setChoice, mayChange, busy, change, show }: Props) {
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  const [focused, setFocused] = useState(0);
  const heldUntil = useRef(0);
  const places = useRef<{ choice: Choice; groups: Group[] } | null>(null);
  const grid = useRef<HTMLDivElement>(null);
  const narrow = useNarrow();

  const groups = useMemo(() => {
    const fresh = choose(model, choice);
    const before = places.current;
    const hold = before !== null && before.choice === choice && Date.now() < heldUntil.current;
    const kept = hold ? keepPlaces(fresh, before.groups) : fresh;
    places.current = { choice, groups: kept };
    return kept;
  }, [tick, choice]);
  const lines = linesOf(model, groups, toggled);
  const focus = Math.min(focused, Math.max(0, lines.length - 1));
  const rowHeight = narrow ? 104 : 46;

  const toggle = (vip: string) => {
    const next = new Set(toggled);
    if (!next.delete(vip)) next.add(vip);
    setToggled(next);
  };
  const actions: Actions = { mayChange, busy, toggle, change, show, focus: setFocused };

  function moveTo(index: number) {
    const next = Math.max(0, Math.min(lines.length - 1, index));
    setFocused(next);
    const box = grid.current?.querySelector('.list')?.getBoundingClientRect();
    if (box !== undefined) {
      const top = box.top + next * rowHeight;
      const margin = 120;
      if (top < margin) window.scrollBy(0, top - margin);
      else if (top + rowHeight > window.innerHeight) {
        window.scrollBy(0, top + rowHeight - window.innerHeight + 8);
      }
    }
    requestAnimationFrame(() =>
      grid.current?.querySelector<HTMLElement>(`[data-index="${next}"]`)?.focus({ preventScroll: true }),
    );
  }

  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (target.matches('input, select, textarea') || document.querySelector('dialog[open]')) return;
      // The row that has the focus now, whether or not the page has drawn that already.
      const row = target.closest<HTMLElement>('[data-index]');
      const onRow = row !== null;
      const at = onRow ? Number(row.dataset.index) : focus;
      const line = onRow ? lines[at] : undefined;
      const server = line?.kind === 'server' ? model.servers.get(line.id) : undefined;
      const key = event.key;
      if (key === 'j' || (key === 'ArrowDown' && onRow)) moveTo(onRow ? at + 1 : at);
      else if (key === 'k' || (key === 'ArrowUp' && onRow)) moveTo(onRow ? at - 1 : at);
      else if (onRow && line !== undefined && (key === 'i' || (key === 'Enter' && line.kind === 'server' && !target.matches('button')))) show(line.id);
      else if (onRow && line?.kind === 'vip' && (key === 'Enter' || key === 'ArrowRight' || key === 'ArrowLeft') && !target.matches('button')) {
        if (key === 'Enter' || line.expanded === (key === 'ArrowLeft')) toggle(line.id);
      } else if (onRow && server !== undefined && mayChange && key === 'd' && server.state === 'Online') change(server, 'Drain');
      else if (onRow && server !== undefined && mayChange && key === 'o' && server.state !== 'Online') change(server, 'Online');
      else if (onRow && server !== undefined && mayChange && key === 'h' && server.state !== 'Halt') change(server, 'Halt');
      else return;
      event.preventDefault();
    };
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  });

  const headline = headlineOf(model);
  const hold = () => {
    heldUntil.current = Date.now() + kHoldMs;
  };
  const shows: [Show, string][] = [['all', 'All'], ['problems', 'Problems'], ['leaving', 'Drained or halted']];
  return (
    <main>
      <h1 class="visually-hidden">Overview</h1>
      <p class={`headline ${headline.rank}`} role="status">{headline.text}</p>
      <Totals model={model} />
      <Notices model={model} />
      <div class="tools" role="search">
        <input
          type="search"
          aria-label="Filter VIPs and real servers"
          placeholder="Filter by name, address, port, state, reason …  ( / )"
          value={choice.filter}
          onInput={(event) => setChoice({ ...choice, filter: event.currentTarget.value })}
        />
        <div class="segments" role="group" aria-label="Show">
          {shows.map(([word, label]) => (
            <button
              key={word}
              aria-pressed={choice.show === word}
              onClick={() => setChoice({ ...choice, show: word })}
            >
              {label}
            </button>
          ))}
        </div>
        <label>
          Sort{' '}
          <select
            value={choice.sort}
            onChange={(event) => setChoice({ ...choice, sort: event.currentTarget.value as Sort })}
          >
            <option value="problems">Problems first</option>
            <option value="name">Name</option>
            <option value="connections">Connections</option>
            <option value="rate">New per second</option>
          </select>
        </label>
      </div>
      <div
        ref={grid}
        role="treegrid"
        aria-label="VIPs and real servers"
        aria-rowcount={lines.length + 1}
        class="grid"
        onPointerMove={hold}
      >
        <div role="rowgroup" class="head">
          <div role="row" aria-rowindex={1} class="row">
            {['State', 'Name', 'Ports / weight', 'Servers', 'Connections', 'New/s', 'Since / traffic', 'Why'].map((title, index) => (
              <div key={title} role="columnheader" class={index >= 3 && index <= 6 ? 'number' : ''}>{title}</div>
            ))}
            <div role="columnheader"><span class="visually-hidden">Actions</span></div>
          </div>
        </div>
        <List
          count={lines.length}
          rowHeight={rowHeight}
          row={(index, top) => {
            const line = lines[index]!;
            const place = { index, top, focused: index === focus };
            if (line.kind === 'vip') {
              return (
                <VipRow
                  key={line.id}
                  vip={model.vips.get(line.id)!}
                  count={line.count}
                  expanded={line.expanded}
                  actions={actions}
                  {...place}
                />
              );
            }
            const server: Server = model.servers.get(line.id)!;
            return <ServerRow key={line.id} server={server} model={model} actions={actions} {...place} />;
          }}
        />
      </div>
      {lines.length === 0 && <Empty model={model} clear={() => setChoice({ ...choice, filter: '', show: 'all' })} />}
      {lines.length <= kOpenRowsMax && model.events.length > 0 && (
        <section aria-labelledby="latest">
          <h2 id="latest">Latest events</h2>
          <EventTable events={model.events.slice(0, 10)} now={model.now} />
        </section>
      )}
    </main>
  );
}

const kExample = `apiVersion: lb.fairlead.dev/v1alpha1
kind: VIP
metadata: {name: dispatcher}
spec:
  addresses: [10.10.10.150]
  presets: [konica-minolta]
  realServers:
    list:
      - {name: paragon-srv-1, address: 10.10.10.151}`;

function Empty({ model, clear }: { model: Model; clear: () => void }) {
  if (model.vips.size > 0) {
    return (
      <p class="empty">
        Nothing matches. <button class="quiet" onClick={clear}>Show all</button>
      </p>
    );
  }
  return (
    <section class="empty">
      <p>No VIP is configured yet. Put a manifest like this one into the configuration; it is live at once.</p>
      <pre>{kExample}</pre>
    </section>
  );
}
