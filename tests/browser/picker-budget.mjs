// By hand, on a quiet machine: `node picker-budget.mjs [DESCRIPTION]` prints what the method picker costs the main thread, medians of 5.
// The description defaults to the generated one with 1,223 methods. Budgets, in CPU time: load 200 ms, a key 60 ms, a tick 16 ms.

import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { large } from './fixtures/large.mjs';
import { Site, importApi, launch, profile, setUp, signIn } from './support.mjs';

const ROUNDS = 5;
const BUDGET = { load: 200, 'key 1': 60, 'key 2': 60, 'key 3': 60, clear: 60, 'tick one': 16, 'tick a service': 16 };

const median = list => [...list].sort((a, b) => a - b)[list.length >> 1];
/** Two frames and a task later the page has done what an event asked of it. */
const settled = page =>
  page.evaluate(
    () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50)))),
  );

const round = async (browser, site, costs) => {
  const context = await profile(browser, site),
    page = await context.newPage(),
    cdp = await context.newCDPSession(page);
  await signIn(context, site);
  await cdp.send('Performance.enable', { timeDomain: 'threadTicks' });
  const spent = async () =>
    (await cdp.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'TaskDuration').value * 1000;
  const cost = async (what, act) => {
    const from = await spent();
    await act();
    await settled(page);
    (costs[what] ??= []).push((await spent()) - from);
  };
  // The scripts are in the cache and compiled once before, as at any visit but the first.
  await page.goto(`${site.url}/settings/tokens`);
  await settled(page);
  await cost('load', () => page.goto(`${site.url}/settings/tokens/new`, { waitUntil: 'load' }));
  await cost('nothing', () => {});
  await page.locator('[name=mq]').focus();
  await settled(page);
  for (const [i, key] of [...'get'].entries()) await cost(`key ${i + 1}`, () => page.keyboard.press(key));
  await cost('clear', () => page.keyboard.press('Escape'));
  await page.evaluate(() => (document.querySelector('details:has([name=m])').open = true));
  await settled(page);
  await cost('nothing, later', () => {});
  for (let i = 0; i < 5; i++)
    await cost('tick one', () => page.evaluate(i => document.querySelectorAll('[name=m]')[i].click(), i));
  await cost('tick a service', () => page.evaluate(() => document.querySelector('[name=service]').click()));
  await cost('choose a set', () =>
    page.evaluate(() => document.querySelector('[name=set]:not([value=custom])').click()),
  );
  const elements = await page.evaluate(() => document.querySelectorAll('*').length);
  const html = await (await context.request.get(`${site.url}/settings/tokens/new`)).body();
  await context.close();
  return { elements, html };
};

const site = await Site.start(),
  browser = await launch();
try {
  const owner = await profile(browser, site);
  await setUp(owner, site);
  await importApi(
    owner,
    site,
    'large',
    process.argv[2] ? await readFile(process.argv[2], 'utf8') : JSON.stringify(large()),
  );
  await owner.close();
  const costs = {};
  let size;
  for (let i = 0; i < ROUNDS; i++) size = await round(browser, site, costs);
  console.log(
    `${size.html.length} bytes, ${gzipSync(size.html, { level: 6 }).length} with gzip, ${size.elements} elements`,
  );
  // Looking costs something too (two frames, two questions); a load is measured whole.
  const looking = median(costs['nothing, later']);
  for (const [what, list] of Object.entries(costs)) {
    const whole = median(list),
      net = what === 'load' ? whole : Math.max(0, whole - looking),
      most = BUDGET[what];
    const verdict = most ? `of ${most}${net > most ? ', over the budget' : ''}` : '';
    console.log(
      `${what.padEnd(16)} ${net.toFixed(1).padStart(7)} ms ${verdict.padEnd(8)} (${whole.toFixed(1)} with looking)`,
    );
    if (most && net > most) process.exitCode = 1;
  }
} finally {
  await browser.close();
  await site.stop();
}
