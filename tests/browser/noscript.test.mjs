// The whole way of one token in a browser with JavaScript turned off: the same forms, as full pages.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test, { after, afterEach, before } from 'node:test';
import { OWNER, PLATFORM, STOP, errorOf, everythingKept, follow, goOn, profile, stage } from './support.mjs';

const VALUE = /^hp_[0-9A-Za-z]{42}$/;
let context, page, value;
const here = stage({ before, after }, async ({ browser, site }) => {
  context = await profile(browser, site, { javaScriptEnabled: false });
  page = await context.newPage();
});
afterEach(() => assert.deepEqual(context.faults.splice(0), []));

const at = path => page.goto(here.site.url + path);
const main = () => page.locator('main').innerText();
const button = name => page.getByRole('button', { name, exact: true });
/** Clicks, and gives the answer of the page that comes. */
const send = async locator => {
  const [answer] = await Promise.all([page.waitForResponse(r => r.request().method() === 'POST'), locator.click()]);
  await page.waitForLoadState('load');
  return answer;
};

test('scripts are off in this browser', async () => {
  await page.setContent('<p id=p>off</p><script>p.textContent = "on"</script>');
  assert.equal(await page.locator('#p').innerText(), 'off');
});

test('set-up tells what is wrong beside the fields and keeps what was typed, but for the password', async () => {
  await page.goto(here.site.setupLink);
  await page.locator('[name=code]').fill('not the code');
  await page.locator('[name=name]').fill(OWNER.name);
  await page.locator('[name=email]').fill('maria');
  await page.locator('[name=password]').fill('short');
  assert.equal((await send(goOn(page, 'code'))).status(), 422);
  for (const field of ['code', 'email', 'password'])
    assert.match(await errorOf(page.locator(`[name=${field}]`)), /\S/, field);
  assert.equal(await page.locator('[name=name]').inputValue(), OWNER.name);
  assert.equal(await page.locator('[name=password]').inputValue(), '');
  assert.ok(!(await page.content()).includes('short"'));
});

test('the printed link sets up the first owner', async () => {
  await page.goto(here.site.setupLink);
  for (const field of ['name', 'email', 'password']) await page.locator(`[name=${field}]`).fill(OWNER[field]);
  await follow(page, goOn(page, 'code'), '/admin/apis');
});

test('an uploaded description is previewed and imported', async () => {
  await at('/admin/apis/new');
  await page.locator('[name=slug]').fill('platform');
  await page.locator('[name=file]').setInputFiles(PLATFORM);
  assert.equal((await send(goOn(page, 'slug'))).status(), 200);
  assert.match(await main(), /60\s+methods/i);
  await page.locator('[name=password]').fill('not the right password');
  assert.equal((await send(goOn(page, 'confirm'))).status(), 422);
  assert.match(await errorOf(page.locator('[name=password]')), /password/i);
  await page.locator('[name=password]').fill(OWNER.password);
  await follow(page, goOn(page, 'confirm'), '/admin/apis/platform');
});

test('the server filters the methods, and what was ticked before stays ticked', async () => {
  await at('/settings/tokens/new');
  await page.locator('[name=name]').fill('filtered');
  await page
    .locator('details', { has: page.locator('[name=m][value^="billing"], [name=m][value^="account:"]') })
    .first()
    .evaluate(el => (el.open = true));
  await page.locator('[name=m][value="account:getbalance"]').check();
  await page.locator('[name=mq]').fill('running stopenv');
  assert.equal((await send(page.locator('button[name=do][value=filter]'))).status(), 200);
  assert.equal(await page.locator('[name=m]:visible').count(), 1);
  assert.ok(await page.locator('[name=m][value="account:getbalance"]').isChecked());
  assert.equal(await page.locator('[name=name]').inputValue(), 'filtered');
});

test('a form with mistakes comes back with every mistake told and everything typed kept', async () => {
  await at('/settings/tokens/new');
  await page.locator('[name=name]').fill('ci-deploy');
  await page.locator('[name=lifetime]').selectOption('custom');
  await page.locator('[name=expires_at]').evaluate(el => (el.type = 'text'));
  await page.locator('[name=expires_at]').fill('31-02-2027');
  await page.locator('[name=rate_per_minute]').evaluate(el => (el.closest('details').open = true));
  await page.locator('[name=rate_per_minute]').fill('many');
  await page.locator('[name=ip_allow]').fill('10.0.0.0/33');
  assert.equal((await send(goOn(page, 'lifetime'))).status(), 422);
  for (const field of ['expires_at', 'rate_per_minute', 'ip_allow'])
    assert.match(await errorOf(page.locator(`[name=${field}]`)), /\S/, field);
  assert.equal(await page.locator('[name=ip_allow]').inputValue(), '10.0.0.0/33');
  assert.equal(await page.locator('[name=name]').inputValue(), 'ci-deploy');
  assert.ok(await page.getByRole('alert').evaluate(el => el === document.activeElement || el.autofocus));
});

test('a token is confirmed on a page of its own: a wrong password is told there, the right one shows the value', async () => {
  await at('/settings/tokens/new');
  await page.locator('[name=name]').fill('ci-deploy');
  await page.locator('[name=mq]').fill('running stopenv');
  await send(page.locator('button[name=do][value=filter]'));
  await page.locator(`[name=m][value="${STOP}"]`).check();
  await page.locator('[name=lifetime]').selectOption('30');
  assert.equal((await send(goOn(page, 'lifetime'))).status(), 200);
  const text = await main();
  for (const told of ['ci-deploy', '1 method', OWNER.email]) assert.ok(text.includes(told), `the page tells ${told}`);

  await page.locator('[name=password]').fill('not the right password');
  assert.equal((await send(button('Generate token'))).status(), 422);
  assert.match(await errorOf(page.locator('[name=password]')), /not right/);
  assert.equal(await page.locator('[name=password]').inputValue(), '');

  await page.locator('[name=password]').fill(OWNER.password);
  const answer = await send(button('Generate token'));
  assert.equal(answer.headers()['cache-control'], 'no-store');
  value = await page.locator('#value').inputValue();
  assert.match(value, VALUE);
});

test('back on the confirm page leads to the form as it was filled in', async () => {
  const tab = await context.newPage();
  await tab.goto(`${here.site.url}/settings/tokens/new`);
  await tab.locator('[name=name]').fill('thought again');
  await tab
    .locator('details', { has: tab.locator(`[name=m][value="${STOP}"]`) })
    .first()
    .evaluate(el => (el.open = true));
  await tab.locator(`[name=m][value="${STOP}"]`).check();
  await goOn(tab, 'lifetime').click();
  await tab.locator('button[name=do][value=back]').click();
  await tab.locator('[name=lifetime]').waitFor();
  assert.equal(await tab.locator('[name=name]').inputValue(), 'thought again');
  assert.ok(await tab.locator(`[name=m][value="${STOP}"]`).isChecked());
  await tab.close();
});

test('the value can be downloaded, and is nowhere once the page is left or loaded again', async () => {
  assert.match(value ?? '', VALUE);
  const [file] = await Promise.all([page.waitForEvent('download'), button('Download').click()]);
  assert.equal((await readFile(await file.path(), 'utf8')).trim(), value);
  await file.delete();

  assert.ok((await everythingKept(page)).includes(value), 'this test would find it');
  await page.reload();
  assert.match(await main(), /already shown/);
  const nowhere = async where =>
    assert.ok(!(await everythingKept(page)).includes(value), `the value is still there ${where}`);
  await nowhere('after a reload');
  await at('/settings/tokens');
  assert.ok((await main()).includes('ci-deploy'));
  await nowhere('on the list');
  // The browser asks before it sends a form again, and shows nothing; what it may not do is show the old answer.
  const isShown = await page.goBack().then(
    () => true,
    cause => assert.match(cause.message, /ERR_CACHE_MISS/),
  );
  if (isShown) await nowhere('after going back');
  await page.close();
  page = await context.newPage();
  assert.ok(!(await here.site.everythingWritten()).includes(value), 'the value is still there in a file or log line');
});

test('removing without a token chosen says what to do', async () => {
  await at('/settings/tokens');
  assert.equal((await send(page.locator('button[name=do][value=remove]'))).status(), 422);
  assert.match(await page.getByRole('alert').innerText(), /Select at least one token/);
});

test('a token is removed on a page of its own, where another button keeps it', async () => {
  await at('/settings/tokens');
  const row = page.getByRole('row').filter({ hasText: 'ci-deploy' });
  await row.getByRole('checkbox').check();
  await send(page.locator('button[name=do][value=remove]'));
  assert.match(await page.getByRole('heading', { level: 1 }).innerText(), /Remove 1 token\?/);
  await page.getByRole('link', { name: 'Keep token' }).click();
  assert.equal(await row.count(), 1);

  await row.getByRole('checkbox').check();
  await send(page.locator('button[name=do][value=remove]'));
  await page.locator('[name=password]').fill(OWNER.password);
  await send(button('Remove 1 token'));
  assert.match(await page.getByRole('status').first().innerText(), /Removed the token ci-deploy/);
  assert.equal(await row.count(), 0);
});

test('the theme and signing out are plain forms', async () => {
  await at('/settings/tokens');
  await follow(page, page.getByRole('button', { name: /Colour theme/ }), '/settings/tokens');
  assert.match((await page.locator('html').getAttribute('data-theme')) ?? '', /light|dark/);
  await button('Account menu, Maria Keller').click();
  await follow(page, button('Sign out'), '/login');
  assert.match(await main(), /signed out/);
});
