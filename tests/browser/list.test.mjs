// The list of tokens in a browser with JavaScript: choosing rows, what is done to many, finding one, and the way back.

import assert from 'node:assert/strict';
import test, { after, afterEach, before } from 'node:test';
import { dialog } from './steps.mjs';
import {
  OWNER,
  everythingKept,
  focused,
  follow,
  generate,
  importPlatform,
  profile,
  setUp,
  stage,
  verify,
} from './support.mjs';

/** More than one page of 50, by 5. */
const MANY = 55;
const LIST = '/settings/tokens';
const values = {};
let context, page;
const here = stage(
  { before, after },
  async ({ browser, site }) => {
    context = await profile(browser, site);
    await setUp(context, site);
    await importPlatform(context, site);
    for (const name of ['bulk-00', 'zz-kept', 'zz-paused'])
      values[name] = await generate(context, site, { name, lifetime: '30' });
    site.multiply('bulk-00', MANY - 1);
    page = await context.newPage();
  },
  '[policy]\ntokens_per_account = 200\n',
);
afterEach(() => assert.deepEqual(context.faults.splice(0), []));

const at = path => page.goto(here.site.url + path);
const rows = () => page.locator('tbody tr');
const row = name => page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) });
const names = () => page.locator('tbody a.name').allInnerTexts();
const chosen = () => page.locator('[name=id]:checked').count();
const counted = () => page.locator('[data-count]').innerText();
const tool = verb => page.locator(`button[name=do][value=${verb}]`);
const told = text => page.getByRole('status').filter({ hasText: text }).waitFor();
/** Clicks what htmx swaps the list by, and waits for the address. */
const swap = async (locator, search) => {
  await locator.click();
  await page.waitForURL(url => url.pathname === LIST && url.search === search);
  await whole();
};
/** A whole page with a table that is set up, not a part of one. */
const whole = async () => {
  await page.locator('[data-table][data-ready]').waitFor();
  for (const [one, n] of [
    ['header.top', 1],
    ['main', 1],
    ['#dlg', 1],
    ['#page', 1],
  ])
    assert.equal(await page.locator(one).count(), n, one);
  assert.equal(await page.title(), 'Access tokens · Hallpass');
};
const press = async (...keys) => {
  for (const key of keys) await page.keyboard.press(key);
};

test('rows chosen by Ctrl are disabled, and what is disabled already is said', async () => {
  await at(`${LIST}?q=zz`);
  await row('zz-paused').getByRole('cell').last().click();
  await tool('disable').click();
  await dialog(page).locator('[name=password]').fill(OWNER.password);
  await dialog(page).locator('[data-go]').click();
  await told('Disabled the token zz-paused.');
  assert.equal(new URL(page.url()).search, '?q=zz', 'the list is still the one that was searched');
  await row('zz-kept').getByRole('cell').last().click();
  await row('zz-paused').getByRole('cell').last().click({ modifiers: ['Control'] });
  assert.equal(await counted(), '2 selected');
  await tool('disable').click();
  await dialog(page).locator('[name=password]').waitFor();
  assert.match(await dialog(page).innerText(), /Disable 2 tokens\?[\s\S]*1 of them is disabled already/);
  await dialog(page).locator('[name=password]').fill(OWNER.password);
  await dialog(page).locator('[data-go]').click();
  await told(/Disabled the token zz-kept\.|Disabled 2 tokens\./);
  assert.equal(await verify(context, here.site, values['zz-kept']), 401);
  for (const name of ['zz-kept', 'zz-paused']) assert.match(await row(name).innerText(), /Disabled/);
});

test('rows chosen by Shift are enabled, under one password', async () => {
  await at(`${LIST}?status=disabled`);
  await rows().first().getByRole('cell').last().click();
  await rows().last().getByRole('cell').last().click({ modifiers: ['Shift'] });
  assert.equal(await counted(), '2 selected');
  assert.equal(await tool('edit').getAttribute('aria-disabled'), 'true');
  await tool('enable').click();
  await dialog(page).locator('[name=password]').fill(OWNER.password);
  await dialog(page).locator('[data-go]').click();
  await told('Enabled 2 tokens.');
  assert.equal(await verify(context, here.site, values['zz-kept']), 200);
  assert.match(await page.locator('main').innerText(), /No token here/);
});

test('tabs, columns and pages are swapped with their address, and the focus stays where it was', async () => {
  await at(LIST);
  for (const [id, search] of [
    ['tab-2', '?status=active'],
    ['by-name', '?status=active&sort=name'],
    ['by-name', '?status=active&sort=-name'],
  ]) {
    await swap(page.locator(`#${id}`), search);
    await focused(page.locator(`#${id}`), `${id} has the focus`);
  }
  assert.equal((await names())[0], 'zz-paused');
  assert.equal(await page.locator('th[aria-sort=descending]').innerText(), 'Name');
  await page.locator('#older').click();
  await page.waitForURL(/after=/);
  await whole();
  assert.equal(await rows().count(), MANY + 2 - 50);
  assert.match(await page.locator('.foot').innerText(), /51 to 57 of 57/);
  assert.equal(await page.locator('#older').count(), 0);
  assert.ok(await page.evaluate(() => scrollY === 0), 'a new page of the list begins at its top');
});

test('back and forward lead through what was swapped, each time to a whole page that works, and so does a reload', async () => {
  for (const [way, search, first] of [
    ['goBack', '?status=active&sort=-name', 'zz-paused'],
    ['goBack', '?status=active&sort=name', 'bulk-00'],
    ['goForward', '?status=active&sort=-name', 'zz-paused'],
    ['reload', '?status=active&sort=-name', 'zz-paused'],
    ['goBack', '?status=active&sort=name', 'bulk-00'],
  ]) {
    await page[way]();
    await page.waitForFunction(first => document.querySelector('tbody a.name')?.textContent === first, first);
    assert.equal(new URL(page.url()).search, search, way);
    await whole();
    await rows().nth(1).getByRole('cell').last().click();
    assert.equal(await counted(), '1 selected', `rows can be chosen after ${way}`);
    assert.equal(await tool('edit').getAttribute('aria-disabled'), 'false');
  }
  await tool('remove').click();
  await dialog(page).getByRole('button', { name: 'Keep token' }).click();
  await dialog(page).waitFor({ state: 'hidden' });
  assert.equal(await page.locator('dialog').count(), 1);
});

test('what another tab did is there after Refresh, and the address stays', async () => {
  await at(`${LIST}?sort=name&q=zz`);
  await generate(context, here.site, { name: 'zz-new' });
  const address = page.url();
  await tool('refresh').click();
  await row('zz-new').waitFor();
  await whole();
  assert.equal(page.url(), address);
  await focused(tool('refresh'));
});

test('a token’s page and back: the list is as it was left', async () => {
  await at(`${LIST}?q=zz`);
  await swap(page.locator('#by-name'), '?q=zz&sort=name');
  await follow(page, row('zz-kept').getByRole('link'), /tokens\/[0-9a-f-]+$/);
  await page.goBack();
  await page.waitForURL(url => url.search === '?q=zz&sort=name');
  await whole();
  assert.deepEqual(await names(), ['zz-kept', 'zz-new', 'zz-paused']);
});

test('by keyboard: Enter on a row edits it, and arrows with Shift choose what Delete asks for', async () => {
  await at(`${LIST}?sort=name`);
  await page.locator('[name=id]').first().focus();
  await press('Space', 'Shift+ArrowDown', 'Shift+ArrowDown');
  assert.equal(await counted(), '3 selected');
  await press('Delete');
  await dialog(page).getByRole('button', { name: 'Keep tokens' }).waitFor();
  assert.match(await dialog(page).innerText(), /Remove 3 tokens\?/);
  await press('Escape');
  await dialog(page).waitFor({ state: 'hidden' });
  await page.locator('[name=id]').first().focus();
  await press('Escape');
  assert.equal(await chosen(), 0);
  await press('Space', 'Enter');
  await page.waitForURL(/tokens\/[0-9a-f-]+$/, { waitUntil: 'load' });
  assert.equal(await page.getByRole('heading', { level: 1 }).innerText(), 'Edit bulk-00');
});

test('/ leads to the search; words go into the address', async () => {
  await at(LIST);
  await press('/');
  await focused(page.locator('[name=q]'));
  await page.keyboard.type('kept zz');
  await press('Enter');
  await page.waitForURL(`${here.site.url}${LIST}?q=kept+zz`, { waitUntil: 'load' });
  assert.deepEqual(await names(), ['zz-kept']);
});

test('a pasted value finds its token, and is then in no address, page, history, storage or file', async () => {
  const value = values['zz-kept'];
  await at(LIST);
  const requests = [];
  const watch = request => requests.push(request.url());
  page.on('request', watch);
  await press('/');
  await page.keyboard.insertText(` ${value}\n`.trimEnd());
  await press('Enter');
  await told('The pasted value is that of zz-kept.');
  assert.deepEqual(await names(), ['zz-kept']);
  page.off('request', watch);
  assert.ok(!requests.join().includes(value), 'no address had it');
  const nowhere = async where =>
    assert.ok(!(await everythingKept(page)).includes(value), `the value is still there ${where}`);
  await nowhere('on the list');
  assert.equal(await page.locator('[name=q]').inputValue(), value.slice(0, 8));
  assert.equal(await page.locator('[name=q]').getAttribute('autocomplete'), 'off', 'no browser proposes it later');
  await page.goBack();
  await nowhere('after going back');
  await page.goForward();
  await nowhere('after going forward');
  const cdp = await context.newCDPSession(page);
  assert.ok(!JSON.stringify(await cdp.send('Page.getNavigationHistory')).includes(value));
  assert.ok(!(await here.site.everythingWritten()).includes(value), 'the value is in a file or log line');
});

test('all that match are chosen over both pages by keyboard, and removed under one password', async () => {
  await at(`${LIST}?q=bulk&sort=name`);
  const all = page.locator('[name=all]');
  assert.equal(await all.isVisible(), false, 'it is offered once a page is chosen');
  await page.locator('[name=id]').first().focus();
  await press('Control+a');
  assert.equal(await counted(), '50 selected');
  await all.focus();
  await press('Space');
  assert.equal(await counted(), `${MANY} selected`);
  assert.equal(await tool('copy').getAttribute('aria-disabled'), 'true');
  await rows().first().getByRole('checkbox').uncheck();
  assert.equal(await counted(), '49 selected', 'a row less is no longer all that match');
  assert.equal(await all.isChecked(), false);
  await rows().first().getByRole('checkbox').check();
  await all.check();
  await tool('remove').click();
  await dialog(page).getByRole('button', { name: 'Keep tokens' }).waitFor();
  assert.match(await dialog(page).innerText(), new RegExp(`Remove ${MANY} tokens\\?`));
  await focused(dialog(page).getByRole('button', { name: 'Keep tokens' }), 'the safe button has the focus');
  const sent = page.waitForRequest(request => request.url().includes('/tokens/remove'));
  await dialog(page).locator('[name=password]').fill(OWNER.password);
  await dialog(page)
    .getByRole('button', { name: `Remove ${MANY} tokens` })
    .dblclick();
  await sent;
  await told(`Removed ${MANY} tokens.`);
  assert.match(await page.locator('main').innerText(), /No token matches “bulk”/);
  await at(LIST);
  assert.deepEqual((await names()).sort(), ['zz-kept', 'zz-new', 'zz-paused']);
  assert.equal(await verify(context, here.site, values['bulk-00']), 401);
  assert.equal(await verify(context, here.site, values['zz-kept']), 200);
});
