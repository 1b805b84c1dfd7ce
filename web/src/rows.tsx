// A VIP's row and a real server's row.
import type { Model, Rank, Server, Vip } from './model';
import { rejectedOf } from './model';
import * as format from './format';

export type State = 'Online' | 'Drain' | 'Halt';

export interface Actions {
  mayChange: boolean;
  busy: ReadonlySet<string>;
  toggle: (vip: string) => void;
  change: (server: Server, state: State) => void;
  show: (id: string) => void;
  focus: (index: number) => void;
}

interface Place {
  index: number;
  top: number;
  focused: boolean;
}

// A shape for each, so that none depends on its colour.
const kShapes: Record<Rank, string> = { bad: '■', warning: '▲', fine: '●' };

function Badge({ rank, word }: { rank: Rank; word: string }) {
  return (
    <span class={`badge ${rank}`}>
      <span aria-hidden="true">{kShapes[rank]}</span> <span>{word}</span>
    </span>
  );
}

function rowProps(place: Place, kind: string, actions: Actions) {
  return {
    role: 'row' as const,
    'aria-rowindex': place.index + 2,
    class: kind,
    style: { top: `${place.top}px` },
    tabIndex: place.focused ? 0 : -1,
    'data-index': place.index,
    onFocus: () => actions.focus(place.index),
  };
}

// Direct routing's replies pass by this host, so that nobody here sees a connection end.
function Connections({ value, limit }: { value: number | null; limit: number }) {
  if (value === null) return <span title="not knowable in direct routing">–</span>;
  return (
    <>
      {format.count(value)}
      {limit > 0 && <small> / {format.count(limit)}</small>}
    </>
  );
}

interface VipRowProps extends Place {
  vip: Vip;
  count: number;
  expanded: boolean;
  actions: Actions;
}

export function VipRow({ vip, count, expanded, actions, ...place }: VipRowProps) {
  const name = vip.namespace === 'default' ? vip.name : `${vip.namespace}/${vip.name}`;
  const rejected = rejectedOf(vip);
  const addresses = vip.addresses
    .map((one) => one.address + (one.interface ? `@${one.interface}` : ''))
    .join(', ');
  const notes = [
    vip.reason,
    vip.queue > 0 ? `${format.count(vip.queue)} clients wait in the queue` : '',
    rejected > 0 ? `${format.count(rejected)} clients turned away` : '',
  ].filter(Boolean);
  return (
    <div
      {...rowProps(place, `row vip ${vip.rank}`, actions)}
      aria-level={1}
      aria-expanded={expanded}
      key={vip.id}
      onDblClick={() => actions.toggle(vip.id)}
    >
      <div role="gridcell" class="state">
        <button
          class="chevron"
          tabIndex={-1}
          aria-label={`${expanded ? 'Hide' : 'Show'} the real servers of ${name}`}
          onClick={() => actions.toggle(vip.id)}
        >
          {expanded ? '▾' : '▸'}
        </button>
        <Badge rank={vip.rank} word={vip.word} />
      </div>
      <div role="gridcell" class="name">
        <button class="link" tabIndex={-1} title={name} onClick={() => actions.show(vip.id)}>
          <b>{name}</b>
        </button>
        <small title={addresses}>{addresses}</small>
      </div>
      <div role="gridcell" class="detail">
        <span title={`${vip.protocol} ${vip.ports}`}>{vip.ports}</span>
        <small title={`${vip.scheduler}, check: ${vip.healthCheck}`}>
          {vip.protocol} · {vip.mode} · {vip.scheduler}
        </small>
      </div>
      <div role="gridcell" class="number servers" title="real servers that take new clients">
        <span class={vip.taking === 0 ? 'bad' : vip.taking < count ? 'warning' : ''}>
          {vip.taking}/{count}
        </span>
      </div>
      <div role="gridcell" class="number connections">
        <Connections value={vip.connections} limit={vip.maxConnections} />
      </div>
      <div role="gridcell" class="number rate">{format.rate(vip.connectionsPerSecond)}</div>
      <div role="gridcell" class="number since">
        <small title="from clients, to clients">
          ↓{format.bits(vip.bytesFromClientPerSecond)}
          <br />↑{format.bits(vip.bytesToClientPerSecond)}
        </small>
      </div>
      <div role="gridcell" class="reason" title={notes.join('; ')}>{notes.join('; ')}</div>
      <div role="gridcell" class="actions" />
    </div>
  );
}

export function leavingText(server: Server, now: number): string {
  if (!server.leaving) return '';
  const left =
    server.connections === null
      ? 'connections not knowable in direct routing'
      : `${format.count(server.connections)} left`;
  if (server.deadline === null) return left;
  const remains = Date.parse(server.deadline) - now;
  if (remains <= 0) return `${left}, deadline passed`;
  return `${left}, deadline ${format.clock(server.deadline)} (in ${format.duration(remains)})`;
}

const kOffers: Record<State, State[]> = {
  Online: ['Drain', 'Halt'],
  Drain: ['Online', 'Halt'],
  Halt: ['Online'],
};

interface ServerRowProps extends Place {
  server: Server;
  model: Model;
  actions: Actions;
}

export function ServerRow({ server, model, actions, ...place }: ServerRowProps) {
  const since = server.state === 'Online' ? server.healthSince : server.stateSince;
  const leaving = leavingText(server, model.now);
  const reason = [leaving, server.reason, server.wayReason && `SNAT: ${server.wayReason}`]
    .filter(Boolean)
    .join('; ');
  const port = server.port === 0 ? '' : `:${server.port}`;
  const address = server.hostName === '' ? server.address + port : `${server.hostName}${port} = ${server.address}`;
  const slow = server.takes === 'All' && server.weightEffective < server.weight;
  return (
    <div {...rowProps(place, `row server ${server.rank}`, actions)} aria-level={2} key={server.id}>
      <div role="gridcell" class="state">
        <Badge rank={server.rank} word={server.word} />
      </div>
      <div role="gridcell" class="name">
        <button class="link" tabIndex={-1} title={server.name} onClick={() => actions.show(server.id)}>
          {server.name}
        </button>
        <small title={address}>{address}</small>
      </div>
      <div role="gridcell" class="detail">
        <span>
          weight {slow ? `${Math.round(server.weightEffective)} of ` : ''}
          {server.weight}
          {slow ? ' (slow start)' : ''}
        </span>
        {server.connectFailuresTotal > 0 && (
          <small>{format.count(server.connectFailuresTotal)} connects failed</small>
        )}
      </div>
      <div role="gridcell" class="number servers" />
      <div role="gridcell" class="number connections">
        <Connections value={server.connections} limit={server.maxConnections} />
      </div>
      <div role="gridcell" class="number rate">{format.rate(model.rateOf(server))}</div>
      <div role="gridcell" class="number since" title={since === null ? '' : `since ${format.moment(since)}`}>
        {format.since(since, model.now)}
      </div>
      <div role="gridcell" class="reason" title={reason}>{reason}</div>
      <div role="gridcell" class="actions">
        {actions.mayChange &&
          kOffers[server.state].map((state) => (
            <button
              key={state}
              class={state === 'Halt' ? 'quiet danger' : 'quiet'}
              aria-label={`${state} ${server.name}`}
              disabled={actions.busy.has(server.id)}
              onClick={() => actions.change(server, state)}
            >
              {state}
            </button>
          ))}
      </div>
    </div>
  );
}
