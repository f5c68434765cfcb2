// The method picker with 1,223 methods: how large the page is, and that it stays usable. What it costs in time is in picker-budget.mjs.

import assert from 'node:assert/strict';
import test, { after, afterEach, before } from 'node:test';
import { gzipSync } from 'node:zlib';
import { METHODS, SERVICES, large } from './fixtures/large.mjs';
import { goOn, importApi, profile, setUp, stage } from './support.mjs';

const PER_THOUSAND = { gzipBytes: 45_000, elements: 7_500 };
const LARGEST_BODY = 256 * 1024;
/** Behind those of the import stand Hallpass’s own. */
const OWN = { methods: 37, services: 11 };
const OFFERED = METHODS + OWN.methods;

let context, page, html;
const here = stage({ before, after }, async ({ browser, site }) => {
  context = await profile(browser, site);
  await setUp(context, site);
  await importApi(context, site, 'large', JSON.stringify(large()));
  page = await context.newPage();
  html = await (await page.goto(`${site.url}/settings/tokens/new`)).body();
});
afterEach(() => assert.deepEqual(context.faults.splice(0), []));

const shown = () => page.locator('[name=m]').evaluateAll(boxes => boxes.filter(box => !box.closest('[hidden]')).length);
const checked = () => page.locator('[name=m]:checked').count();
const scaled = n => Math.round((n / METHODS) * 1000);

test('the page offers every method of every service once', async () => {
  const scopes = await page.locator('[name=m]').evaluateAll(boxes => boxes.map(box => box.value));
  assert.equal(new Set(scopes).size, OFFERED);
  assert.equal(scopes.length, OFFERED);
  assert.equal(await page.locator('[name=service]').count(), SERVICES + OWN.services);
});

test('a thousand methods cost at most 45 kB compressed', t => {
  const bytes = gzipSync(html, { level: 6 }).length;
  t.diagnostic(`${html.length} bytes, ${bytes} with gzip, ${scaled(bytes)} per 1,000 methods`);
  assert.ok(scaled(bytes) <= PER_THOUSAND.gzipBytes, `${scaled(bytes)} bytes`);
});

test('a thousand methods cost at most 7,500 elements', async t => {
  const elements = await page.evaluate(() => document.querySelectorAll('*').length);
  t.diagnostic(`${elements} elements, ${scaled(elements)} per 1,000 methods`);
  assert.ok(scaled(elements) <= PER_THOUSAND.elements, `${scaled(elements)} elements`);
});

test('so many services start closed', async () => {
  assert.equal(await page.locator('details[open] [name=m]').count(), 0);
});

test('a search finds words in any order, in names and descriptions, and Esc shows everything again', async () => {
  const search = page.locator('[name=mq]');
  await search.fill('cluster create');
  const some = await shown();
  assert.ok(some > 0 && some < 60, `${some} shown`);
  await search.fill('create cluster');
  assert.equal(await shown(), some);
  await search.fill('no such method');
  assert.equal(await shown(), 0);
  await search.press('Escape');
  assert.equal(await shown(), OFFERED);
});

test('ticking a service under a search ticks what is shown of it alone', async () => {
  await page.locator('[name=mq]').fill('create');
  const service = page.locator('[name=service]').first();
  const inIt = await service.evaluate(box =>
    [...box.closest('section').querySelectorAll('[name=m]')].map(m => !m.closest('li').hidden),
  );
  await service.check();
  const expected = inIt.filter(Boolean).length;
  assert.ok(expected > 0 && expected < inIt.length);
  assert.equal(await checked(), expected);
  await service.uncheck();
  assert.equal(await checked(), 0);
  await page.locator('[name=mq]').press('Escape');
});

test('Only checked shows what is ticked, whatever was searched before', async () => {
  await page.locator('[name=mq]').fill('create cluster');
  await page.locator('[name=m]:visible').first().check();
  await page.locator('[name=mq]').fill('');
  await page.locator('[name=only]').check();
  assert.equal(await shown(), 1);
  await page.locator('[name=only]').uncheck();
  assert.equal(await shown(), OFFERED);
});

test('an access set ticks its methods, and changing one of them makes it a choice of one’s own', async () => {
  await page.locator('[name=set]:not([value=custom])').last().check();
  const all = await checked();
  assert.ok(all > 1);
  await page.locator('[name=mq]').fill('create cluster');
  await page.locator('[name=m]:checked:visible').first().uncheck();
  assert.equal(await page.locator('[name=set]:checked').inputValue(), 'custom');
  assert.equal(await checked(), all - 1);
  await page.locator('[name=mq]').fill('');
});

test('a choice of nearly everything is sent in less than 256 kB, and every ticked method arrives', async () => {
  await page.locator('[name=name]').fill('nearly everything');
  const wanted = await checked();
  const [request] = await Promise.all([
    page.waitForRequest(r => r.method() === 'POST'),
    goOn(page, 'lifetime').click(),
  ]);
  assert.ok(request.postDataBuffer().length <= LARGEST_BODY, `${request.postDataBuffer().length} bytes`);
  await page.getByRole('dialog').locator('[name=password]').waitFor();
  assert.ok((await page.getByRole('dialog').innerText()).includes(`${wanted.toLocaleString('en')} methods`));
});
