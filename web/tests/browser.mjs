// One scenario in a real Chromium, for tests/netns/test_web.py:
//
//   node web/tests/browser.mjs SCENARIO '{"url": ..., "shots": DIR, "state": FILE, ...}'
//
// The cookies of a scenario are kept in the state file for the next one. Prints what it saw as JSON;
// ends with 1, the reason on stderr and a picture when something was not as it should be.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import * as scenarios from './scenarios.mjs';

const [name, text] = process.argv.slice(2);
const given = JSON.parse(text);
mkdirSync(given.shots, { recursive: true });
const browser = await chromium.launch({
  executablePath: given.chromium,
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
});
const context = await browser.newContext({
  ignoreHTTPSErrors: true,
  viewport: given.viewport ?? { width: 1440, height: 860 },
  colorScheme: given.colors ?? 'light',
  storageState: existsSync(given.state) ? given.state : undefined,
});
const page = await context.newPage();
page.setDefaultTimeout(15_000);

// What the page's own protection stops, and scripts that fail, end the test whatever it looked for.
const faults = [];
page.on('pageerror', (error) => faults.push(`script: ${error.stack ?? error}`));
page.on('dialog', (dialog) => {
  faults.push(`dialog: ${dialog.message()}`);
  void dialog.dismiss();
});
page.on('console', (message) => {
  // Chromium logs every refused request as an error, those that are meant to be refused too.
  const text = message.text();
  const expected = given.blocks === true && text.endsWith('The action has been blocked.');
  if (message.type() === 'error' && !text.startsWith('Failed to load resource') && !expected) {
    faults.push(`console: ${text}`);
  }
});

const shot = (title) => page.screenshot({ path: join(given.shots, `${title}.png`) });
try {
  const seen = (await scenarios[name]({ page, context, given, shot })) ?? {};
  if (faults.length > 0) throw new Error(faults.join('\n'));
  await context.storageState({ path: given.state });
  console.log(JSON.stringify(seen));
} catch (error) {
  await shot(`FAILED-${name}`).catch(() => {});
  console.error(error, faults);
  process.exitCode = 1;
} finally {
  await browser.close();
}
