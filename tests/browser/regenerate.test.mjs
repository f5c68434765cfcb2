// Regenerating a value in a browser with JavaScript: each choice for the old one, what both are worth, and where the new one is not.

import assert from 'node:assert/strict';
import test, { after, afterEach, before } from 'node:test';
import { dialog, send } from './steps.mjs';
import {
  OWNER,
  errorOf,
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

const VALUE = /^hp_[0-9A-Za-z]{42}$/;
const LIST = '/settings/tokens';
const values = {};
let context, page;
const here = stage({ before, after }, async ({ browser, site }) => {
  context = await profile(browser, site);
  await setUp(context, site);
  await importPlatform(context, site);
  for (const name of ['leaked', 'kept', 'until', 'disabled', 'old', 'lost', 'twice'])
    values[name] = await generate(context, site, { name });
  page = await context.newPage();
});
afterEach(() => assert.deepEqual(context.faults.splice(0), []));

const at = path => page.goto(here.site.url + path);
const row = name => page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) });
const edit = async name => {
  await at(LIST);
  await follow(page, row(name).getByRole('link'), /^\/settings\/tokens\/[0-9a-f-]+$/);
};
const go = () => page.getByRole('button', { name: 'Regenerate value…' });
const grace = choice => page.locator(`[name=grace][value="${choice}"]`);
const confirmButton = () => dialog(page).getByRole('button', { name: 'Regenerate value' });
/** As far as the dialog, with what it tells. */
const ask = async (name, choice) => {
  await edit(name);
  if (choice) await grace(choice).check();
  await go().click();
  await dialog(page).locator('[name=password]').waitFor();
  return dialog(page).innerText();
};
/** The new value, with the page that shows it still open. */
const confirm = async () => {
  await dialog(page).locator('[name=password]').fill(OWNER.password);
  await confirmButton().click();
  await page.locator('#value').waitFor();
  const value = await page.locator('#value').inputValue();
  assert.match(value, VALUE);
  return value;
};
const worth = (...list) => Promise.all(list.map(value => verify(context, here.site, value)));
const saved = () => follow(page, page.getByRole('link', { name: 'I saved the value' }), LIST);

test('after a leak the old value is dead with the answer', async () => {
  assert.match(await ask('leaked', '0'), /stops at once/);
  const value = await confirm();
  assert.match(await page.locator('main').innerText(), /Old value\s+has stopped/);
  assert.deepEqual(await worth(values.leaked, value), [401, 200]);
  await focused(page.getByRole('heading', { level: 1 }));
  await saved();
  assert.ok(await row('leaked').evaluate(el => el.matches(':target')), 'the row is marked');
  assert.match(await row('leaked').innerText(), new RegExp(value.slice(0, 8)));
});

for (const [choice, word] of [
  ['24h', /Keep both for 24 hours/],
  ['72h', /Keep both for 3 days/],
])
  test(`both values work while the old one is kept: ${choice}`, async () => {
    await edit('kept');
    assert.match(await page.locator('label', { has: grace(choice) }).innerText(), word);
    const day = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', day: 'numeric', month: 'short' });
    const told = await ask('kept', choice);
    assert.ok(told.includes(day.format(Date.now() + parseInt(choice) * 3_600_000)), told);
    const value = await confirm();
    assert.deepEqual(await worth(values.kept, value), [200, 200]);
    await saved();
    assert.match(await row('kept').innerText(), /In grace period\s+until/);

    await edit('kept');
    assert.deepEqual(await page.locator('[name=grace]').evaluateAll(all => all.map(one => one.value)), ['0']);
    await page.getByRole('button', { name: 'End grace now…' }).click();
    const keep = dialog(page).getByRole('button', { name: 'Keep both' });
    await keep.waitFor();
    await focused(keep, 'the safe button has the focus');
    await keep.click();
    assert.deepEqual(await worth(values.kept), [200]);
    await page.getByRole('button', { name: 'End grace now…' }).click();
    await dialog(page).locator('[name=password]').fill(OWNER.password);
    await follow(page, dialog(page).getByRole('button', { name: 'Stop the old value' }), LIST);
    assert.match(await page.getByRole('status').first().innerText(), /The old value of kept has stopped/);
    assert.deepEqual(await worth(values.kept, value), [401, 200]);
    assert.doesNotMatch(await row('kept').innerText(), /grace/);
    values.kept = value;
  });

test('a moment typed is a choice of one’s own; one beyond the policy is told there, and what else was typed stays', async () => {
  await edit('until');
  await page.locator('[name=description]').fill('typed and not saved yet');
  const moment = page.locator('[name=previous_expires_at]');
  const most = await moment.getAttribute('max');
  await moment.fill(most.replace(/^\d{4}/, year => +year + 1));
  assert.ok(await grace('custom').isChecked());
  await send(page, go());
  await page.locator('main').getByRole('alert').waitFor();
  assert.match(await errorOf(moment), /policy keeps an old value for up to 7 days/);
  assert.ok(await grace('custom').isChecked());
  assert.equal(await page.locator('[name=description]').inputValue(), 'typed and not saved yet');

  await moment.fill(most);
  await go().click();
  await dialog(page).locator('[name=password]').waitFor();
  assert.ok((await dialog(page).innerText()).includes(most.slice(11)), 'the dialog tells the moment');
  assert.deepEqual(await worth(values.until, await confirm()), [200, 200]);
});

test('a disabled token says that it stays so', async () => {
  const list = async verb => {
    await at(LIST);
    await row('disabled').getByRole('checkbox').check();
    await page.locator(`button[name=do][value=${verb}]`).click();
    await dialog(page).locator('[name=password]').fill(OWNER.password);
    await send(page, dialog(page).locator('[data-go]'));
    await page.getByRole('status').filter({ hasText: /abled the token disabled/ }).waitFor();
  };
  await list('disable');
  assert.deepEqual(await worth(values.disabled), [401]);
  assert.match(await row('disabled').innerText(), /Disabled/);
  assert.match(await ask('disabled', '24h'), /disabled and stays so/);
  const value = await confirm();
  assert.deepEqual(await worth(values.disabled, value), [401, 401]);
  await list('enable');
  assert.deepEqual(await worth(values.disabled, value), [200, 200]);
});

test('an expired token gets its new day with its new value, and the old one stays dead', async () => {
  here.site.expire('old');
  await at(`${LIST}?status=expired`);
  await follow(page, row('old').getByRole('link'), /^\/settings\/tokens\/[0-9a-f-]+$/);
  assert.match(await page.locator('main').innerText(), /Expired 1 Jan 2026\. Regenerate the value below/);
  await Promise.all([
    page.waitForResponse(r => r.url().includes('/settings/tokens/expiry')),
    page.locator('[name=lifetime]:visible').selectOption('30'),
  ]);
  assert.match(await page.locator('.act').innerText(), /Expired 1 Jan 2026\./, 'saving gives it no other day');
  await go().click();
  await dialog(page).locator('[name=password]').waitFor();
  assert.match(await dialog(page).innerText(), /in 30 days/);
  assert.deepEqual(await worth(values.old, await confirm()), [401, 200]);
});

test('a hasty double click at each step makes one value, and shows it', async () => {
  await edit('twice');
  await grace('24h').check();
  await go().dblclick();
  await dialog(page).locator('[name=password]').fill(OWNER.password);
  await confirmButton().dblclick();
  await page.locator('#value').waitFor();
  await page.waitForLoadState('networkidle');
  assert.deepEqual(await worth(values.twice, await page.locator('#value').inputValue()), [200, 200]);
});

test('where the answer with the value got lost, a second confirmation says so and leads to another', async () => {
  await ask('lost', '24h');
  await dialog(page).locator('[name=password]').fill(OWNER.password);
  let unseen;
  await page.route(
    '**/confirm',
    async route => {
      unseen = (await (await route.fetch()).text()).match(/\bhp_[0-9A-Za-z]{42}\b/)[0];
      await route.abort('connectionreset');
    },
    { times: 1 },
  );
  await confirmButton().click();
  assert.match(await dialog(page).getByRole('alert').innerText(), /did not answer/);
  assert.ok(context.faults.splice(0).every(text => /CONNECTION_RESET|htmx:(sendError|afterRequest)/.test(text)));
  await confirmButton().click();
  await page.getByRole('heading', { name: 'This value was already shown' }).waitFor();
  assert.ok((await page.locator('main').innerText()).includes(unseen.slice(0, 8)), 'the token is named by its prefix');
  assert.ok(!(await everythingKept(page)).includes(unseen));
  await page.getByRole('link', { name: 'Regenerate…' }).click();
  await go().waitFor();
  await grace('0').check();
  await go().click();
  await dialog(page).locator('[name=password]').waitFor();
  assert.deepEqual(await worth(values.lost, unseen, await confirm()), [401, 401, 200]);
});

test('a dialog that another tab overtook does nothing, and the page says what happened', async () => {
  await ask('leaked', '0');
  const first = page;
  page = await context.newPage();
  await ask('leaked', '0');
  const value = await confirm();
  await page.close();
  page = first;
  await dialog(page).locator('[name=password]').fill(OWNER.password);
  await send(page, confirmButton());
  await page.getByText('You regenerated its value just now').waitFor();
  assert.deepEqual(await worth(value), [200]);
});

test('once the page is left, the new value is in no page, storage, history entry, second tab, file or log', async () => {
  await ask('twice', '0');
  const value = await confirm();
  const nowhere = async (where, of = page) =>
    assert.ok(!(await everythingKept(of)).includes(value), `the value is still there ${where}`);
  assert.ok((await everythingKept(page)).includes(value), 'this test would find it');
  const tab = await context.newPage();
  await tab.goto(page.url());
  await nowhere('in a second tab', tab);
  await tab.close();
  await page.reload();
  await nowhere('after a reload');
  assert.ok(await go().isVisible(), 'a reload shows the token’s page');
  await page.goBack();
  await nowhere('after going back');
  await page.goForward();
  await nowhere('after going forward');
  const cdp = await context.newCDPSession(page);
  assert.ok(!JSON.stringify(await cdp.send('Page.getNavigationHistory')).includes(value));
  assert.ok(!(await here.site.everythingWritten()).includes(value), 'the value is still there in a file or log line');
});
