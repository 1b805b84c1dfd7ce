import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

// What an operator does with the page. Each gets {page, context, given, shot} and returns what it
// saw; a thing that does not come in time is an error.

function assert(held, message) {
  if (!held) throw new Error(message);
}

const rowOf = (page, name) =>
  page.getByRole('row').filter({ has: page.locator('.name').getByText(name, { exact: true }) });

async function signIn(page, user, password) {
  await page.getByLabel('User').fill(user);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

async function open(page, given) {
  await page.goto(given.url);
  await page.getByRole('treegrid').waitFor();
}

export async function firstVisit({ page, given, shot }) {
  await page.goto(given.url);
  await page.getByRole('heading', { name: 'Set the first password' }).waitFor();
  const fill = async (code, password, again) => {
    await page.getByLabel('Setup code').fill(code);
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.getByLabel('Password again').fill(again);
    await page.getByRole('button', { name: 'Set password' }).click();
  };
  await shot('1-first-visit');
  await fill(given.code, given.password, 'another one');
  await page.getByRole('alert').getByText('differ').waitFor();
  await fill('aaaa-aaaa-aaaa-aaaa', given.password, given.password);
  await page.getByRole('alert').getByText('not the setup code').waitFor();
  await fill(given.code, given.password, given.password);
  await page.getByRole('treegrid').waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in to Fairlead' }).waitFor();
  await signIn(page, 'admin', 'wrong password');
  await page.getByRole('alert').getByText('wrong user or password').waitFor();
  await shot('2-sign-in');
  await signIn(page, 'admin', given.password);
  await page.getByRole('treegrid').waitFor();
}

// Waits until the server's row has `word`, and tells what stands in it.
export async function look({ page, given, shot }) {
  await open(page, given);
  const row = rowOf(page, given.server);
  await row.locator('.badge').getByText(given.word, { exact: true }).waitFor();
  if (given.headline) await page.locator('.headline').getByText(given.headline).waitFor();
  await shot(given.title);
  return {
    reason: await row.locator('.reason').innerText(),
    since: await row.locator('.since').innerText(),
    headline: await page.locator('.headline').innerText(),
    // Problems come first.
    first: await page.locator('.row.server .name > button').first().innerText(),
  };
}

export async function drainAndBack({ page, given, shot }) {
  await open(page, given);
  const row = rowOf(page, given.server);
  await page.getByRole('button', { name: `Drain ${given.server}` }).click();
  await row.locator('.badge').getByText('Drain', { exact: true }).waitFor();
  await page.locator('.toast').getByText('Online -> Drain').waitFor();
  const draining = await row.locator('.reason').innerText();
  await shot('4-drain');
  await page.getByRole('button', { name: 'Undo' }).click();
  await row.locator('.badge').getByText('Up', { exact: true }).waitFor();
  // The same by keys, and it stays.
  await page.locator('body').click({ position: { x: 5, y: 5 } });
  await row.focus();
  await page.keyboard.press('d');
  await row.locator('.badge').getByText('Drain', { exact: true }).waitFor();
  return { draining };
}

export async function halt({ page, given, shot }) {
  await open(page, given);
  const row = rowOf(page, given.server);
  await page.getByRole('button', { name: `Halt ${given.server}` }).click();
  const dialog = page.getByRole('dialog', { name: `Halt ${given.server}?` });
  await dialog.waitFor();
  const text = await dialog.innerText();
  await shot('5-halt');
  const focused = await page.evaluate(() => document.activeElement.textContent);
  assert(focused === 'Cancel', `the focus is on ${focused}`);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  assert((await row.locator('.badge').innerText()).includes('Up'), 'Escape halted it');
  await page.getByRole('button', { name: `Halt ${given.server}` }).click();
  await dialog.getByRole('button', { name: 'Halt' }).click();
  await row.locator('.badge').getByText('Halt', { exact: true }).waitFor();
  await page.getByRole('button', { name: `Online ${given.server}` }).click();
  await row.locator('.badge').getByText('Up', { exact: true }).waitFor();
  return { text };
}

// Everything about one row, by its name and by a key.
export async function details({ page, given, shot }) {
  await open(page, given);
  await page.getByRole('button', { name: given.vip, exact: true }).click();
  const vip = await page.getByRole('dialog', { name: `VIP default/${given.vip}` }).innerText();
  await shot('14-details');
  await page.keyboard.press('Escape');
  await rowOf(page, given.server).focus();
  await page.keyboard.press('i');
  const server = await page.getByRole('dialog', { name: `Real server ${given.server}` }).innerText();
  return { vip, server };
}

// What a manifest or a server says is text, whatever it looks like.
export async function hostile({ page, given, shot }) {
  await open(page, given);
  await page.locator('.notices').getByText(given.text).first().waitFor();
  await shot('6-hostile-text');
  await page.keyboard.press('g');
  await page.keyboard.press('e');
  await page.getByRole('heading', { name: 'Events', exact: true }).waitFor();
  await page.locator('.events').getByText(given.text).first().waitFor();
  await shot('7-events');
  return page.evaluate(() => ({
    scripts: document.scripts.length,
    images: [...document.images].map((image) => image.getAttribute('src')),
    hacked: 'hacked' in window,
  }));
}

// Requests as a foreign page, or a script that got in, would make them.
export async function forge({ page, given }) {
  await open(page, given);
  const send = (headers, type) =>
    page.evaluate(
      async ([body, extra, contentType]) => {
        const answer = await fetch('/api/v1/servers/state', {
          method: 'POST',
          headers: { 'Content-Type': contentType, ...extra },
          body,
        });
        return answer.status;
      },
      [JSON.stringify({ server: given.server, state: 'Halt' }), headers, type],
    );
  const statuses = {
    withoutToken: await send({}, 'application/json'),
    wrongToken: await send({ 'X-Fairlead-Csrf': 'x'.repeat(43) }, 'application/json'),
    asForm: await send({}, 'text/plain'),
  };
  // An inline script and an outside one are refused by the policy.
  await page.evaluate(() => {
    const blocked = (window.blocked = []);
    document.addEventListener('securitypolicyviolation', (event) => blocked.push(event.effectiveDirective));
    try {
      document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="window.hacked=1">');
    } catch (error) {
      blocked.push('innerHTML');
    }
    const image = document.createElement('img');
    image.src = 'https://10.2.0.11/outside.png';
    document.body.append(image);
  });
  await page.waitForFunction(() => window.blocked.includes('img-src'));
  return { ...statuses, blocked: await page.evaluate(() => window.blocked), cookie: await page.evaluate(() => document.cookie) };
}

export async function viewer({ page, given, shot }) {
  await open(page, given);
  await page.getByRole('button', { name: 'admin' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('night');
  await dialog.getByLabel('Password', { exact: true }).fill('night shift 1');
  await dialog.getByRole('button', { name: 'Add or replace' }).click();
  await dialog.getByText('night may sign in').waitFor();
  await shot('8-users');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await signIn(page, 'night', 'night shift 1');
  await page.getByRole('treegrid').waitFor();
  await page.getByRole('row').nth(2).waitFor();
  const buttons = await page.locator('.row .actions button').count();
  return { buttons };
}

// What the rules of accessibility (WCAG 2.2 A and AA, by axe) find fault with.
async function faultsOf(page) {
  await page.evaluate(readFileSync(createRequire(import.meta.url).resolve('axe-core'), 'utf8'));
  return page.evaluate(async () => {
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
    const found = await window.axe.run(document, { runOnly: tags });
    if (found.passes.length < 10) throw new Error(`axe looked at ${found.passes.length} rules only`);
    return found.violations.flatMap((rule) =>
      rule.nodes.map((node) => `${rule.id}: ${node.target.join(' ')}: ${node.failureSummary}`),
    );
  });
}

export async function accessible({ page, given }) {
  await open(page, given);
  await page.getByRole('row').nth(2).waitFor();
  const faults = {};
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await page.waitForTimeout(300);  // rows fade to their colour
    faults[colorScheme] = await faultsOf(page);
  }
  await page.getByRole('button', { name: 'admin' }).click();
  await page.getByRole('dialog').waitFor();
  faults.dialog = await faultsOf(page);
  await page.keyboard.press('Escape');
  await page.keyboard.press('g');
  await page.keyboard.press('e');
  await page.getByRole('heading', { name: 'Events', exact: true }).waitFor();
  faults.events = await faultsOf(page);
  return faults;
}

// Several colours and sizes of the same page.
export async function looks({ page, given, shot }) {
  await open(page, given);
  await page.getByRole('row').nth(2).waitFor();
  await page.emulateMedia({ colorScheme: 'dark' });
  await shot('9-dark');
  await page.setViewportSize({ width: 390, height: 844 });
  await page.waitForTimeout(300);
  await shot('10-phone');
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  await page.setViewportSize({ width: 1000, height: 700 });
  await page.emulateMedia({ colorScheme: 'light' });
  await page.waitForTimeout(300);
  await shot('11-tablet');
  return { overflow };
}

// Thousands of rows: few are in the document, the filter finds one, frames come in time.
export async function large({ page, given, shot }) {
  await open(page, given);
  await page.waitForFunction(
    (count) => Number(document.querySelector('[role=treegrid]').getAttribute('aria-rowcount')) > count,
    given.rows,
  );
  const frames = await page.evaluate(async () => {
    const times = [];
    let last = performance.now();
    for (let i = 0; i < 120; ++i) {
      window.scrollBy(0, 900);
      await new Promise(requestAnimationFrame);
      const now = performance.now();
      times.push(now - last);
      last = now;
    }
    return times.sort((left, right) => left - right);
  });
  const inDocument = await page.locator('[role=row]').count();
  await shot('12-large');
  await page.keyboard.press('/');
  const begun = Date.now();
  await page.keyboard.type(given.filter);
  await page.waitForFunction(
    () => Number(document.querySelector('[role=treegrid]').getAttribute('aria-rowcount')) === 3,
  );
  const filtered = Date.now() - begun;
  await shot('13-filtered');
  assert((await page.evaluate(() => location.hash)).includes(given.filter), 'the filter is not in the address');
  return { inDocument, filtered, frameMedian: frames[60], frameP95: frames[114] };
}
