// Everything that is done to a token, in a browser with JavaScript turned off: each form is a page, and each answer too.

import assert from 'node:assert/strict';
import test, { after, afterEach, before } from 'node:test';
import {
  OWNER,
  STOP,
  errorOf,
  everythingKept,
  follow,
  generate,
  goOn,
  importPlatform,
  profile,
  setUp,
  stage,
  verify,
} from './support.mjs';

const MANY = 52;
const LIST = '/settings/tokens';
const values = {};
let context, page;
const here = stage(
  { before, after },
  async ({ browser, site }) => {
    context = await profile(browser, site, { javaScriptEnabled: false });
    await setUp(context, site);
    await importPlatform(context, site);
    for (const name of ['bulk-00', 'ci-deploy', 'backup', 'leaked'])
      values[name] = await generate(context, site, { name, lifetime: '30' });
    await generate(context, site, { name: 'wild', m: 'control:*' });
    site.multiply('bulk-00', MANY - 1);
    page = await context.newPage();
  },
  '[policy]\ntokens_per_account = 200\n',
);
afterEach(() => assert.deepEqual(context.faults.splice(0), []));

const at = path => page.goto(here.site.url + path);
const main = () => page.locator('main').innerText();
const heading = () => page.getByRole('heading', { level: 1 }).innerText();
const button = name => page.getByRole('button', { name, exact: true });
const row = name => page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) });
/** Clicks, and gives the answer of the page that comes. */
const send = async locator => {
  const [answer] = await Promise.all([page.waitForResponse(r => r.request().method() === 'POST'), locator.click()]);
  await page.waitForLoadState('load');
  return answer;
};
const edit = async name => {
  await at(`${LIST}?q=${name}`);
  await follow(page, row(name).getByRole('link'), /^\/settings\/tokens\/[0-9a-f-]+$/);
};
/** Chooses rows of the list and presses a button of its toolbar. */
const act = async (verb, ...names) => {
  await at(LIST);
  for (const name of names) await row(name).getByRole('checkbox').check();
  return send(page.locator(`button[name=do][value=${verb}]`));
};
const save = () => button('Save changes…');
/** A wrong password first, which the page tells; then the right one. */
const confirm = async name => {
  await page.locator('[name=password]').fill('not the right password');
  assert.equal((await send(button(name))).status(), 422);
  assert.match(await errorOf(page.locator('[name=password]')), /not right/);
  assert.equal(await page.locator('[name=password]').inputValue(), '');
  await page.locator('[name=password]').fill(OWNER.password);
  return send(button(name));
};
const status = () => page.getByRole('status').first().innerText();
const worth = (...list) => Promise.all(list.map(value => verify(context, here.site, value)));

test('a token is edited: mistakes are told, the change is confirmed on a page, and the list marks the row', async () => {
  await edit('ci-deploy');
  await page.locator('[name=name]').fill('backup');
  await page.locator('[name=description]').fill('for the pipeline');
  assert.equal((await send(save())).status(), 422);
  assert.match(await errorOf(page.locator('[name=name]')), /already has a token/);
  assert.equal(await page.locator('[name=description]').inputValue(), 'for the pipeline');
  await page.locator('[name=name]').fill('deploy');
  assert.equal((await send(save())).status(), 200);
  assert.match(await main(), /deploy, was ci-deploy/);
  await confirm('Save changes');
  assert.equal(new URL(page.url()).pathname, LIST);
  assert.match(await status(), /Saved deploy\./);
  assert.ok(await row('deploy').evaluate(el => el.matches(':target')));
});

test('Back to the form keeps what was typed, and nothing different is said to be so', async () => {
  await edit('deploy');
  await page.locator('[name=description]').fill('thought again');
  await send(save());
  await send(button('Back to the form'));
  assert.equal(await page.locator('[name=description]').inputValue(), 'thought again');
  await page.locator('[name=description]').fill('for the pipeline');
  await send(save());
  assert.match(await main(), /Nothing is different from before/);
});

test('the methods of a token are filtered by the server, and what else was typed is still there', async () => {
  await edit('deploy');
  await page.locator('[name=description]').fill('typed');
  await page.locator('[name=mq]').fill('startenv');
  await send(button('Apply filter'));
  assert.equal(await page.locator('[name=description]').inputValue(), 'typed');
  await page.locator('[name=m][value$="control:startenv"]').check();
  await send(save());
  assert.match(await main(), /Adds 1 method: control:startenv/);
});

test('a stale form says who changed what, with all that was typed', async () => {
  await edit('backup');
  await page.locator('[name=description]').fill('typed here');
  const first = page;
  page = await context.newPage();
  await edit('backup');
  await page.locator('[name=description]').fill('typed there');
  await send(save());
  await confirm('Save changes');
  await page.close();
  page = first;
  assert.equal((await send(save())).status(), 422);
  assert.match(await main(), /You changed this token just now: Description: typed there/);
  assert.equal(await page.locator('[name=description]').inputValue(), 'typed here');
  await send(save());
  assert.match(await main(), /typed here, was typed there/);
});

test('a wildcard stays one, and without it one method may take its place', async () => {
  await edit('wild');
  assert.match(await main(), /Everything in control and whatever is added to it later/);
  await send(save());
  assert.match(await main(), /Nothing is different from before/);
  // The rows under a wildcard are free once the page has come back without it.
  const wild = page.locator('[data-wild]');
  await page
    .locator('details', { has: wild })
    .first()
    .evaluate(el => (el.open = true));
  await wild.uncheck();
  await send(button('Apply filter'));
  await page
    .locator('details', { has: page.locator(`[name=m][value$="${STOP}"]`) })
    .first()
    .evaluate(el => (el.open = true));
  await page.locator(`[name=m][value$="${STOP}"]`).check();
  await send(save());
  assert.match(await main(), /takes away/);
});

test('a token is copied, and a link fills in the form', async () => {
  await act('copy', 'deploy');
  assert.match(await heading(), /from deploy/);
  assert.equal(await page.locator('[name=name]').inputValue(), 'deploy copy');
  await send(goOn(page, 'lifetime').filter({ hasText: 'Generate' }));
  await confirm('Generate token');
  const copy = await page.locator('#value').inputValue();
  assert.deepEqual(await worth(copy, values['ci-deploy']), [200, 200]);
  await at(`/settings/tokens/new?name=night&m=${STOP}`);
  assert.match(await main(), /filled in by a link/);
  assert.ok(await page.locator(`[name=m][value$="${STOP}"]`).isChecked());
});

test('a value is regenerated at once after a leak, and the page that came is not kept', async () => {
  await edit('leaked');
  await page.locator('[name=grace][value="0"]').check();
  await send(button('Regenerate value…'));
  assert.match(await main(), /stops at once/);
  await follow(page, page.getByRole('link', { name: 'Cancel' }), /tokens\/[0-9a-f-]+$/);
  await page.locator('[name=grace][value="0"]').check();
  await send(button('Regenerate value…'));
  const answer = await confirm('Regenerate value');
  assert.equal(answer.headers()['cache-control'], 'no-store');
  const value = await page.locator('#value').inputValue();
  assert.deepEqual(await worth(values.leaked, value), [401, 200]);
  await page.reload();
  assert.match(await main(), /This value was already shown/);
  await follow(page, page.getByRole('link', { name: 'Regenerate…' }), /tokens\/[0-9a-f-]+$/);
  assert.ok(!(await everythingKept(page)).includes(value));
  values.leaked = value;
});

test('a moment of one’s own is kept within the policy, and the grace is ended on a page', async () => {
  await edit('leaked');
  const moment = page.locator('[name=previous_expires_at]');
  const most = await moment.getAttribute('max');
  await page.locator('[name=grace][value=custom]').check();
  await moment.fill(most.replace(/^\d{4}/, year => +year + 1));
  assert.equal((await send(button('Regenerate value…'))).status(), 422);
  assert.match(await errorOf(moment), /up to 7 days/);
  await moment.fill(most);
  await send(button('Regenerate value…'));
  await confirm('Regenerate value');
  const value = await page.locator('#value').inputValue();
  assert.deepEqual(await worth(values.leaked, value), [200, 200]);
  await follow(page, page.getByRole('link', { name: 'I saved the value' }), LIST);
  assert.match(await row('leaked').innerText(), /In grace period/);

  await edit('leaked');
  await send(button('End grace now…'));
  await follow(page, page.getByRole('link', { name: 'Keep both' }), /tokens\/[0-9a-f-]+$/);
  await send(button('End grace now…'));
  await confirm('Stop the old value');
  assert.match(await status(), /The old value of leaked has stopped/);
  assert.deepEqual(await worth(values.leaked, value), [401, 200]);
  values.leaked = value;
});

test('tokens are disabled and enabled', async () => {
  await act('disable', 'leaked', 'backup');
  assert.equal(await heading(), 'Disable 2 tokens?');
  await confirm('Disable 2 tokens');
  assert.match(await status(), /Disabled 2 tokens\./);
  assert.deepEqual(await worth(values.leaked, values.backup), [401, 401]);
  await act('enable', 'leaked', 'backup');
  await confirm('Enable 2 tokens');
  assert.deepEqual(await worth(values.leaked, values.backup), [200, 200]);
});

test('a button that wants one row says so for two, and the rows stay chosen', async () => {
  assert.equal((await act('edit', 'leaked', 'backup')).status(), 422);
  assert.match(await page.getByRole('alert').innerText(), /Select one token to edit/);
  assert.equal(await page.locator('[name=id]:checked').count(), 2);
});

test('a token is found by its pasted value, which is then nowhere', async () => {
  await at(LIST);
  await page.locator('[name=q]').fill(values.leaked);
  await Promise.all([page.waitForEvent('load'), page.locator('[name=q]').press('Enter')]);
  assert.match(await status(), /The pasted value is that of leaked\./);
  assert.equal(await page.locator('tbody tr').count(), 1);
  assert.ok(!(await everythingKept(page)).includes(values.leaked));
  await page.goBack();
  assert.ok(!(await everythingKept(page)).includes(values.leaked), 'after going back');
});

test('all that match are removed, of both pages', async () => {
  await at(`${LIST}?q=bulk`);
  await page.getByLabel(`Select all ${MANY} that match, not only this page`).check();
  await send(page.locator('button[name=do][value=remove]'));
  assert.equal(await heading(), `Remove ${MANY} tokens?`);
  await confirm(`Remove ${MANY} tokens`);
  assert.match(await status(), new RegExp(`Removed ${MANY} tokens\\.`));
  assert.deepEqual(await worth(values['bulk-00'], values.leaked), [401, 200]);
  await act('remove', 'leaked', 'wild');
  await confirm('Remove 2 tokens');
  assert.equal(await row('wild').count(), 0);
});
