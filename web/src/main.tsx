// The page: who is signed in decides what there is to see; the address says which view and choice.
import { render } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, loadSession, post, type SessionInfo } from './api';
import { Account, ConfirmHalt, Details, Help } from './dialogs';
import { Events } from './events';
import * as format from './format';
import { Live } from './live';
import { type Choice, Model, type Server, type Show, type Sort } from './model';
import { Overview } from './overview';
import type { State } from './rows';
import { SignIn } from './signin';
import './style.css';

type View = 'overview' | 'events';
type Theme = 'auto' | 'light' | 'dark';

interface Place {
  view: View;
  choice: Choice;
}

function oneOf<Word extends string>(words: readonly Word[], word: string | null): Word {
  return words.find((one) => one === word) ?? words[0]!;
}

// "#/overview?q=srv&show=problems&sort=name": a link shows what was seen.
function placeFromAddress(): Place {
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
  const parameters = new URLSearchParams(query ?? '');
  return {
    view: oneOf<View>(['overview', 'events'], path ?? ''),
    choice: {
      filter: parameters.get('q') ?? '',
      show: oneOf<Show>(['all', 'problems', 'leaving'], parameters.get('show')),
      sort: oneOf<Sort>(['problems', 'name', 'connections', 'rate'], parameters.get('sort')),
    },
  };
}

function addressOf({ view, choice }: Place): string {
  const parameters = new URLSearchParams();
  if (choice.filter !== '') parameters.set('q', choice.filter);
  if (choice.show !== 'all') parameters.set('show', choice.show);
  if (choice.sort !== 'problems') parameters.set('sort', choice.sort);
  const query = parameters.toString();
  return `#/${view}${query === '' ? '' : `?${query}`}`;
}

function useTheme(): [Theme, () => void] {
  const [theme, setTheme] = useState(() =>
    oneOf<Theme>(['auto', 'light', 'dark'], localStorage.getItem('theme')),
  );
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem('theme', theme);
  }, [theme]);
  const next: Record<Theme, Theme> = { auto: 'dark', dark: 'light', light: 'auto' };
  return [theme, () => setTheme(next[theme])];
}

interface Said {
  text: string;
  ok: boolean;
  undo?: () => void;
}

interface SignedInProps {
  session: SessionInfo;
  signedOut: (why: string) => void;
}

function SignedIn({ session, signedOut }: SignedInProps) {
  const model = useRef(new Model());
  const live = useRef<Live | null>(null);
  const [tick, setTick] = useState(0);
  const [place, setPlace] = useState(placeFromAddress);
  const [busy, setBusy] = useState<ReadonlySet<string>>(new Set());
  const [said, setSaid] = useState<Said | null>(null);
  const [halting, setHalting] = useState<Server | null>(null);
  const [shown, setShown] = useState('');
  const [dialog, setDialog] = useState<'' | 'help' | 'account'>('');
  const [theme, nextTheme] = useTheme();

  useEffect(() => {
    live.current = new Live(
      model.current,
      () => setTick((before) => before + 1),
      () => signedOut('You have been signed out.'),
    );
    return () => live.current?.stop();
  }, []);

  useEffect(() => {
    const listen = () => setPlace(placeFromAddress());
    window.addEventListener('hashchange', listen);
    return () => window.removeEventListener('hashchange', listen);
  }, []);

  useEffect(() => {
    if (said === null) return;
    const timer = setTimeout(() => setSaid(null), said.ok ? 10_000 : 30_000);
    return () => clearTimeout(timer);
  }, [said]);

  function go(next: Place) {
    history.replaceState(null, '', addressOf(next));
    setPlace(next);
  }

  async function send(server: Server, state: State, offerUndo: boolean) {
    setBusy((before) => new Set(before).add(server.id));
    const before = server.state;
    try {
      const answer = await post<{ message: string; warning: string }>('/api/v1/servers/state', {
        server: server.name,
        vip: server.vip.slice(2),
        state,
      });
      setSaid({
        ok: answer.warning === '',
        text: [answer.message, answer.warning].filter(Boolean).join('; '),
        undo: offerUndo ? () => void send({ ...server, state }, before, false) : undefined,
      });
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) signedOut('You have been signed out.');
      else setSaid({ ok: false, text: (error as Error).message });
    } finally {
      setBusy((all) => new Set([...all].filter((id) => id !== server.id)));
      live.current?.look();
    }
  }

  // Halt cuts connections: it asks. Drain cuts none before its deadline: it can be undone.
  function change(server: Server, state: State) {
    if (state === 'Halt') setHalting(server);
    else void send(server, state, true);
  }

  async function signOut() {
    await post('/web/v1/logout', {}).catch(() => undefined);
    signedOut('');
  }

  const afterG = useRef(0);
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (document.querySelector('dialog[open]')) return;
      const target = event.target as HTMLElement;
      const search = document.querySelector<HTMLInputElement>('input[type=search]');
      if (event.key === 'Escape' && place.view === 'overview') {
        go({ ...place, choice: { ...place.choice, filter: '' } });
        search?.blur();
        return;
      }
      if (target.matches('input, select, textarea')) return;
      const followsG = Date.now() - afterG.current < 1500;
      afterG.current = event.key === 'g' ? Date.now() : 0;
      if (event.key === '/') search?.focus();
      else if (event.key === '?') setDialog('help');
      else if (followsG && event.key === 'o') go({ ...place, view: 'overview' });
      else if (followsG && event.key === 'e') go({ ...place, view: 'events' });
      else return;
      event.preventDefault();
      event.stopImmediatePropagation();
    };
    document.addEventListener('keydown', listen, { capture: true });
    return () => document.removeEventListener('keydown', listen, { capture: true });
  });

  const meta = model.current.meta;
  const trouble = live.current?.trouble ?? '';
  const answered = live.current?.answered ?? 0;
  useEffect(() => {
    document.title = meta === null ? 'Fairlead' : `${meta.host} – Fairlead`;
  }, [meta?.host]);
  return (
    <>
      <header>
        <img src="/icon.svg" alt="" width="26" height="26" />
        <b>Fairlead</b>
        <nav aria-label="Views">
          {(['overview', 'events'] as const).map((view) => (
            <a
              key={view}
              href={addressOf({ view, choice: place.choice })}
              aria-current={place.view === view ? 'page' : undefined}
            >
              {view === 'overview' ? 'Overview' : 'Events'}
            </a>
          ))}
        </nav>
        {meta !== null && (
          <span class="host" title={`up since ${meta.started === null ? '' : format.moment(meta.started)}`}>
            {meta.host} · {meta.phase} · up {format.since(meta.started, model.current.now)} ·{' '}
            {meta.engine} · {meta.version}
          </span>
        )}
        <span class="push" />
        <button class="quiet" onClick={nextTheme} aria-label={`Theme: ${theme}`} title={`Theme: ${theme}`}>
          {theme === 'auto' ? '◐' : theme === 'dark' ? '☾' : '☀'}
        </button>
        <button class="quiet" onClick={() => setDialog('help')} aria-label="Keys" title="Keys ( ? )">?</button>
        <button class="quiet" onClick={() => setDialog('account')} title={session.role}>{session.user}</button>
        <button class="quiet" onClick={() => void signOut()}>Sign out</button>
      </header>
      {trouble !== '' && (
        <p role="alert" class="banner">
          {trouble}. {answered === 0 ? '' : `What is shown is from ${format.clock(new Date(answered).toISOString())}. `}
          Trying again …
        </p>
      )}
      {meta === null ? (
        <main><p class="empty">{trouble === '' ? 'Loading …' : ''}</p></main>
      ) : place.view === 'events' ? (
        <Events model={model.current} />
      ) : (
        <Overview
          model={model.current}
          tick={tick}
          choice={place.choice}
          setChoice={(choice) => go({ ...place, choice })}
          mayChange={session.role === 'Operator'}
          busy={busy}
          change={change}
          show={setShown}
        />
      )}
      <div class="toasts" role="status">
        {said !== null && (
          <div class={said.ok ? 'toast' : 'toast error'}>
            <span>{said.text}</span>
            {said.undo !== undefined && (
              <button
                class="quiet"
                onClick={() => {
                  setSaid(null);
                  said.undo?.();
                }}
              >
                Undo
              </button>
            )}
            <button class="quiet" aria-label="Dismiss" onClick={() => setSaid(null)}>✕</button>
          </div>
        )}
      </div>
      {halting !== null && (
        <ConfirmHalt
          server={model.current.servers.get(halting.id) ?? halting}
          close={() => setHalting(null)}
          confirm={() => {
            setHalting(null);
            void send(halting, 'Halt', false);
          }}
        />
      )}
      {shown !== '' && <Details model={model.current} id={shown} close={() => setShown('')} />}
      {dialog === 'help' && <Help close={() => setDialog('')} />}
      {dialog === 'account' && <Account session={session} close={() => setDialog('')} />}
    </>
  );
}

function App() {
  const [session, setSession] = useState<SessionInfo | null>(null);
  const [notice, setNotice] = useState('');
  const load = async () => {
    try {
      setSession(await loadSession());
      setNotice('');
    } catch {
      setNotice('The daemon does not answer; trying again …');
      setTimeout(() => void load(), 2000);
    }
  };
  useEffect(() => void load(), []);
  if (session === null) return <main><p class="empty" role="status">{notice || 'Loading …'}</p></main>;
  if (session.user === undefined) return <SignIn session={session} notice={notice} done={() => void load()} />;
  const signedOut = (why: string) => {
    setSession({ setup: false, setupFile: '' });
    setNotice(why);
  };
  return <SignedIn session={session} signedOut={signedOut} />;
}

render(<App />, document.getElementById('app')!);
