// What the daemon tells, kept up to date by its answers, and the rows that are shown of it.

export type Rank = 'bad' | 'warning' | 'fine';

interface Judged {
  id: string;
  rank: Rank;
  word: string;
  reason: string;
}

export interface Vip extends Judged {
  namespace: string;
  name: string;
  addresses: { address: string; interface?: string; announcement?: string }[];
  ports: string;
  protocol: string;
  mode: string;
  scheduler: string;
  persistence: string;
  healthCheck: string;
  location: string;
  taking: number;
  connections: number | null;
  connectionsTotal: number;
  connectionsPerSecond: number;
  bytesFromClientPerSecond: number;
  bytesToClientPerSecond: number;
  maxConnections: number;
  queue: number;
  rejections: Record<string, number>;
}

export interface Server extends Judged {
  vip: string;
  name: string;
  object: boolean;
  address: string;
  hostName: string;
  port: number;
  weight: number;
  weightEffective: number;
  maxConnections: number;
  state: 'Online' | 'Drain' | 'Halt';
  stateInManifest: string;
  setHere: boolean;
  stateSince: string | null;
  deadline: string | null;
  takes: string;
  way: string;
  wayReason: string;
  leaving: boolean;
  health: 'Up' | 'Down' | 'Unknown';
  healthSince: string | null;
  connections: number | null;
  connectionsTotal: number;
  connectFailuresTotal: number;
}

export interface Meta {
  version: string;
  host: string;
  phase: string;
  started: string | null;
  configChanged: string | null;
  engine: string;
  engineReason: string;
  planRevision: number;
  appliedRevision: number;
  sessions: number;
  sessionsMax: number;
  warnings: string[];
  stale: string[];
}

export interface LogEvent {
  time: string;
  level: 'info' | 'warning' | 'error';
  message: string;
  object: string;
  reason: string;
}

export interface Finding {
  severity: 'error' | 'warning';
  object: string;
  location: string;
  field: string;
  message: string;
}

export interface Answer {
  epoch: string;
  revision: number;
  full: boolean;
  now: string;
  entries: ({ id: string } & Record<string, unknown>)[];
}

interface Sample {
  at: number;
  total: number;
}

// Rates are over the last ten seconds, as the daemon's own are.
const kRateSpanMs = 10_000;

export class Model {
  epoch = '';
  revision = 0;
  // Of the daemon's clock, by which everything is dated.
  now = Date.now();
  meta: Meta | null = null;
  events: LogEvent[] = [];
  findings: Finding[] = [];
  vips = new Map<string, Vip>();
  servers = new Map<string, Server>();
  serversOf = new Map<string, string[]>();
  private samples = new Map<string, Sample[]>();

  apply(answer: Answer): void {
    this.epoch = answer.epoch;
    this.revision = answer.revision;
    this.now = Date.parse(answer.now);
    if (answer.full) {
      this.vips.clear();
      this.servers.clear();
      this.serversOf.clear();
    }
    for (const entry of answer.entries) this.put(entry, answer.full);
    if (!answer.full) return;
    for (const id of this.samples.keys()) {
      if (!this.servers.has(id)) this.samples.delete(id);
    }
  }

  private put(entry: { id: string } & Record<string, unknown>, isNew: boolean): void {
    if (entry.id === 'meta') {
      this.meta = entry as unknown as Meta;
    } else if (entry.id === 'events') {
      this.events = entry.events as LogEvent[];
    } else if (entry.id === 'findings') {
      this.findings = entry.findings as Finding[];
    } else if (entry.id.startsWith('v ')) {
      this.vips.set(entry.id, entry as unknown as Vip);
      if (isNew) this.serversOf.set(entry.id, []);
    } else {
      const server = entry as unknown as Server;
      this.servers.set(server.id, server);
      if (isNew) this.serversOf.get(server.vip)?.push(server.id);
      this.sample(server);
    }
  }

  private sample(server: Server): void {
    const list = this.samples.get(server.id) ?? [];
    const last = list.at(-1);
    // Less than before: the daemon was restarted.
    if (last !== undefined && server.connectionsTotal < last.total) list.length = 0;
    if (last?.total === server.connectionsTotal) return;
    list.push({ at: this.now, total: server.connectionsTotal });
    // The last one before the span is what held at its beginning.
    while (list.length > 1 && list[1]!.at <= this.now - kRateSpanMs) list.shift();
    this.samples.set(server.id, list);
  }

  rateOf(server: Server): number {
    const list = this.samples.get(server.id);
    if (list === undefined || list.length < 2) return 0;
    const begin = this.now - kRateSpanMs;
    const base = list.findLast((sample) => sample.at <= begin) ?? list[0]!;
    const seconds = (this.now - Math.max(base.at, begin)) / 1000;
    return seconds > 0 ? (list.at(-1)!.total - base.total) / seconds : 0;
  }
}

export function rejectedOf(vip: Vip): number {
  return Object.values(vip.rejections).reduce((sum, count) => sum + count, 0);
}

export type Sort = 'problems' | 'name' | 'connections' | 'rate';
export type Show = 'all' | 'problems' | 'leaving';

export interface Choice {
  filter: string;
  show: Show;
  sort: Sort;
}

const kRankOrder: Record<Rank, number> = { bad: 0, warning: 1, fine: 2 };

function compare(left: Judged, right: Judged): number {
  return kRankOrder[left.rank] - kRankOrder[right.rank];
}

function wordsOfVip(vip: Vip): string {
  return [vip.namespace + '/' + vip.name, vip.word, vip.ports, vip.mode, vip.reason]
    .concat(vip.addresses.map((address) => address.address))
    .join(' ')
    .toLowerCase();
}

function wordsOfServer(server: Server): string {
  return [server.name, server.address, server.hostName, server.word, server.state, server.reason]
    .join(' ')
    .toLowerCase();
}

export interface Group {
  vip: string;
  servers: string[];
  // A server was found and not the VIP itself: it is shown whether expanded or not.
  byServer: boolean;
}

// The VIPs, and of each the servers, that the choice wants, in its order. Every word of the filter
// must be found in the VIP or in the server.
export function choose(model: Model, choice: Choice): Group[] {
  const words = choice.filter.toLowerCase().split(/\s+/).filter(Boolean);
  const groups: Group[] = [];
  for (const vip of model.vips.values()) {
    const text = words.length > 0 ? wordsOfVip(vip) : '';
    const missing = words.filter((word) => !text.includes(word));
    let servers = (model.serversOf.get(vip.id) ?? []).map((id) => model.servers.get(id)!);
    let byServer = false;
    if (missing.length > 0) {
      servers = servers.filter((server) => {
        const own = wordsOfServer(server);
        return missing.every((word) => own.includes(word));
      });
      if (servers.length === 0) continue;
      byServer = true;
    }
    if (choice.show === 'leaving') servers = servers.filter((server) => server.state !== 'Online');
    if (choice.show === 'problems') servers = servers.filter((server) => server.rank !== 'fine');
    const own = choice.show === 'problems' && vip.rank !== 'fine';
    if (choice.show !== 'all' && servers.length === 0 && !own) continue;
    if (choice.show !== 'all') byServer = true;
    if (choice.sort === 'problems') servers = servers.toSorted(compare);
    if (choice.sort === 'connections') {
      servers = servers.toSorted((l, r) => (r.connections ?? -1) - (l.connections ?? -1));
    }
    if (choice.sort === 'rate') {
      servers = servers.toSorted((l, r) => model.rateOf(r) - model.rateOf(l));
    }
    groups.push({ vip: vip.id, servers: servers.map((server) => server.id), byServer });
  }
  const vipOf = (group: Group) => model.vips.get(group.vip)!;
  if (choice.sort === 'problems') groups.sort((l, r) => compare(vipOf(l), vipOf(r)));
  if (choice.sort === 'connections') {
    groups.sort((l, r) => (vipOf(r).connections ?? -1) - (vipOf(l).connections ?? -1));
  }
  if (choice.sort === 'rate') {
    groups.sort((l, r) => vipOf(r).connectionsPerSecond - vipOf(l).connectionsPerSecond);
  }
  return groups;
}

export interface Totals {
  vips: number;
  vipsServing: number;
  servers: number;
  serversUp: number;
  connections: number;
  connectionsPerSecond: number;
  bytesFromClient: number;
  bytesToClient: number;
  rejected: number;
}

export function totalsOf(model: Model): Totals {
  const totals: Totals = {
    vips: model.vips.size,
    vipsServing: 0,
    servers: model.servers.size,
    serversUp: 0,
    connections: 0,
    connectionsPerSecond: 0,
    bytesFromClient: 0,
    bytesToClient: 0,
    rejected: 0,
  };
  for (const vip of model.vips.values()) {
    if (vip.rank !== 'bad') ++totals.vipsServing;
    totals.connections += vip.connections ?? 0;
    totals.connectionsPerSecond += vip.connectionsPerSecond;
    totals.bytesFromClient += vip.bytesFromClientPerSecond;
    totals.bytesToClient += vip.bytesToClientPerSecond;
    totals.rejected += rejectedOf(vip);
  }
  for (const server of model.servers.values()) {
    if (server.health === 'Up' && server.rank !== 'bad') ++totals.serversUp;
  }
  return totals;
}

// One sentence that says how things stand, and how bad that is.
export function headlineOf(model: Model): { rank: Rank; text: string } {
  const counted = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`;
  const badVips = [...model.vips.values()].filter((vip) => vip.rank === 'bad').length;
  const badServers = [...model.servers.values()].filter((server) => server.rank === 'bad').length;
  if (model.vips.size === 0) return { rank: 'warning', text: 'No VIP is configured.' };
  if (badVips > 0) {
    return { rank: 'bad', text: `${badVips} of ${counted(model.vips.size, 'VIP')} cannot serve clients.` };
  }
  if (badServers > 0) {
    const verb = badServers === 1 ? 'is' : 'are';
    return {
      rank: 'warning',
      text: `Every VIP serves clients; ${badServers} of ${counted(model.servers.size, 'real server')} ${verb} down.`,
    };
  }
  const rejected = model.findings.filter((finding) => finding.severity === 'error').length;
  if (rejected > 0) {
    return { rank: 'warning', text: `Every VIP serves clients; ${counted(rejected, 'mistake')} in the configuration.` };
  }
  // Who drained them knows; whoever comes next should see it too.
  const leaving = [...model.servers.values()].filter((server) => server.state !== 'Online').length;
  const poor = [...model.vips.values()].filter((vip) => vip.rank === 'warning').length;
  if (leaving > 0) {
    const verb = leaving === 1 ? 'is' : 'are';
    return { rank: 'fine', text: `Every VIP serves clients; ${counted(leaving, 'real server')} ${verb} drained or halted.` };
  }
  if (poor > 0) {
    return { rank: 'warning', text: `Every VIP serves clients; ${counted(poor, 'VIP')} ${poor === 1 ? 'needs' : 'need'} a look.` };
  }
  return { rank: 'fine', text: 'Every VIP serves clients.' };
}
