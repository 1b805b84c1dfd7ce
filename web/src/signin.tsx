// The two pages before the page: the first password, and signing in.
import { useEffect, useRef, useState } from 'preact/hooks';
import { post, type SessionInfo } from './api';

interface Props {
  session: SessionInfo;
  notice: string;
  done: () => void;
}

export function SignIn({ session, notice, done }: Props) {
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const setup = session.setup;

  useEffect(() => form.current?.querySelector('input')?.focus(), [setup]);

  async function submit(event: Event) {
    event.preventDefault();
    const data = new FormData(form.current!);
    const field = (name: string) => String(data.get(name) ?? '');
    if (setup && field('password') !== field('repeated')) {
      setError('the two passwords differ');
      return;
    }
    setBusy(true);
    setError('');
    try {
      const body: Record<string, string> = { user: field('user'), password: field('password') };
      if (setup) body.code = field('code').trim();
      await post(setup ? '/web/v1/setup' : '/web/v1/login', body);
      done();
    } catch (failure) {
      setError((failure as Error).message);
      form.current?.querySelector<HTMLInputElement>('input[name=password]')?.select();
    } finally {
      setBusy(false);
    }
  }

  return (
    <main class="sign-in">
      <form ref={form} onSubmit={submit} aria-labelledby="sign-in-title">
        <img src="/icon.svg" alt="" width="44" height="44" />
        <h1 id="sign-in-title">{setup ? 'Set the first password' : 'Sign in to Fairlead'}</h1>
        {setup && (
          <p>
            Nobody has signed in here yet. The one-time code proves that you run this host:{' '}
            {session.setupFile === '' ? (
              <>it stands in the daemon's log as <code>code=…</code></>
            ) : (
              <>it is in the file <code>{session.setupFile}</code></>
            )}
            .
          </p>
        )}
        {notice !== '' && error === '' && <p role="status">{notice}</p>}
        {setup && (
          <label>
            Setup code
            <input name="code" required autocomplete="off" spellcheck={false} />
          </label>
        )}
        <label>
          User
          <input
            name="user"
            required
            autocomplete="username"
            autocapitalize="none"
            spellcheck={false}
            defaultValue={setup ? 'admin' : ''}
          />
        </label>
        <label>
          Password
          <input
            name="password"
            type="password"
            required
            minLength={setup ? 10 : undefined}
            autocomplete={setup ? 'new-password' : 'current-password'}
          />
        </label>
        {setup && (
          <label>
            Password again
            <input name="repeated" type="password" required autocomplete="new-password" />
          </label>
        )}
        {error !== '' && <p role="alert" class="error">{error}</p>}
        <button class="primary" disabled={busy}>
          {setup ? 'Set password' : 'Sign in'}
        </button>
      </form>
    </main>
  );
}
