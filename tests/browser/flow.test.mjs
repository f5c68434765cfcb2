// The whole way of one token in a browser with JavaScript: set up, import, generate, see once, remove, sign out.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test, { after, afterEach, before } from 'node:test';
import { OWNER, PLATFORM, STOP, errorOf, everythingKept, focused, follow, goOn, profile, signIn, stage } from './support.mjs';

const VALUE = /^hp_[0-9A-Za-z]{42}$/;
let context, page, value;
const here = stage({ before, after }, async ({ browser, site }) => {
  context = await profile(browser, site);
  page = await context.newPage();
});
afterEach(() => assert.deepEqual(context.faults.splice(0), []));

const at = path => page.goto(here.site.url + path);
const dialog = () => page.getByRole('dialog');
/** Fills the form for a token with one method, as far as the dialog that asks for the password. */
const ask = async name => {
  await at('/settings/tokens/new');
  await page.locator('[name=name]').fill(name);
  await page.locator('[name=mq]').fill('running stopenv');
  await page.locator(`[name=m][value="${STOP}"]`).check();
  await goOn(page, 'lifetime').click();
  await dialog().locator('[name=password]').waitFor();
};

test('the printed link sets up the first owner, and only once', async () => {
  await page.goto(here.site.setupLink);
  for (const field of ['name', 'email', 'password']) await page.locator(`[name=${field}]`).fill(OWNER[field]);
  await follow(page, goOn(page, 'code'), '/admin/apis');
  assert.match(await page.locator('main').innerText(), /No API yet/);
  await at('/settings/tokens/new');
  assert.match(
    await page.locator('[name=lifetime]').evaluate(el => el.form.innerText),
    /Europe\/Berlin/,
    'the time zone is the one of the browser',
  );

  const again = await context.newPage();
  assert.equal((await again.goto(here.site.setupLink)).status(), 404);
  await again.close();
});

test('a description that cannot be read is told beside the file, and nothing is imported', async () => {
  await at('/admin/apis/new');
  await page.locator('[name=slug]').fill('platform');
  await page
    .locator('[name=file]')
    .setInputFiles({ name: 'broken.json', mimeType: 'application/json', buffer: Buffer.from('{"openapi": "3.0.0",') });
  const [answer] = await Promise.all([
    page.waitForResponse(r => r.request().method() === 'POST'),
    goOn(page, 'slug').click(),
  ]);
  assert.equal(answer.status(), 422);
  await page.waitForLoadState('load');
  assert.match(await errorOf(page.locator('[name=file]')), /JSON/);
  assert.equal(await page.locator('[name=slug]').inputValue(), 'platform');
});

test('an uploaded description is previewed first and imported with the password', async () => {
  await at('/admin/apis/new');
  await page.locator('[name=slug]').fill('platform');
  await page.locator('[name=file]').setInputFiles(PLATFORM);
  await goOn(page, 'slug').click();
  await page.locator('[name=confirm]').waitFor({ state: 'attached' });
  const preview = await page.locator('main').innerText();
  assert.match(preview, /60\s+methods/i);
  assert.match(preview, /9\s+services/i);

  await page.locator('[name=password]').fill('not the right password');
  const [refused] = await Promise.all([
    page.waitForResponse(r => r.request().method() === 'POST'),
    goOn(page, 'confirm').click(),
  ]);
  assert.equal(refused.status(), 422);
  await page.waitForLoadState('load');
  assert.match(await errorOf(page.locator('[name=password]')), /password/i);

  await page.locator('[name=password]').fill(OWNER.password);
  await follow(page, goOn(page, 'confirm'), '/admin/apis/platform');
  assert.match(await page.getByRole('status').first().innerText(), /60 methods/);
});

test('what is wrong in the form is told in place, with a summary that has the focus and leads to the fields', async () => {
  await at('/settings/tokens/new');
  await page.locator('[name=name]').fill('bad address');
  await page
    .locator('details', { has: page.locator('[name=ip_allow]') })
    .locator('summary')
    .click();
  await page.locator('[name=ip_allow]').fill('10.0.0.0/33');
  const [answer] = await Promise.all([
    page.waitForResponse(r => r.request().method() === 'POST'),
    goOn(page, 'lifetime').click(),
  ]);
  assert.equal(answer.status(), 422);
  const summary = page.getByRole('alert');
  await summary.waitFor();
  await focused(summary);
  assert.match(await errorOf(page.locator('[name=ip_allow]')), /10\.0\.0\.0\/33/);
  assert.equal(await page.locator('[name=name]').inputValue(), 'bad address');
  for (const link of await summary.getByRole('link').all()) {
    const target = new URL(await link.evaluate(a => a.href)).hash;
    assert.equal(await page.locator(target).count(), 1, `the summary leads to ${target}`);
  }
  assert.equal(await dialog().isVisible(), false);
});

test('a wrong password is told inside the dialog, which stays, and the right one then shows the value', async () => {
  await at('/settings/tokens/new');
  await page.locator('[name=name]').fill('ci-deploy');
  await page.locator('[name=description]').fill('Stops the staging environment at night');

  await page.locator('[name=mq]').fill('running stopenv');
  const box = page.locator(`[name=m][value="${STOP}"]`);
  await box.check();
  assert.equal(await page.locator('[name=m]:visible').count(), 1);
  await page.locator('[name=mq]').fill('');
  assert.equal(await page.locator('[name=m]:checked').count(), 1);

  await Promise.all([
    page.waitForResponse(r => r.url().includes('/settings/tokens/expiry')),
    page.locator('[name=lifetime]').selectOption('30'),
  ]);
  const day = new Intl.DateTimeFormat('en-CA', { timeZone: 'Europe/Berlin' }).format(Date.now() + 30 * 86_400_000);
  await page.waitForFunction(day => document.querySelector('[name=expires_at]').value === day, day);

  await goOn(page, 'lifetime').click();
  await dialog().waitFor();
  const facts = await dialog().innerText();
  for (const told of ['ci-deploy', '1 method', OWNER.email])
    assert.ok(facts.includes(told), `the dialog tells ${told}`);
  const password = dialog().locator('[name=password]');
  await focused(password, 'the password has the focus');

  await password.fill('not the right password');
  const [refused] = await Promise.all([
    page.waitForResponse(r => r.url().endsWith('/confirm')),
    dialog().getByRole('button', { name: 'Generate token' }).click(),
  ]);
  assert.equal(refused.status(), 422);
  await page.waitForFunction(() => document.querySelector('dialog[open] [name=password]')?.ariaInvalid === 'true');
  assert.match(await errorOf(password), /not right/);
  assert.equal(await password.inputValue(), '');
  await focused(password, 'the password has the focus again');
  assert.equal(new URL(page.url()).pathname, '/settings/tokens/new');

  await password.fill(OWNER.password);
  const [answer] = await Promise.all([
    page.waitForResponse(r => r.url().endsWith('/confirm')),
    dialog().getByRole('button', { name: 'Generate token' }).click(),
  ]);
  assert.equal(answer.headers()['cache-control'], 'no-store');
  assert.match(
    answer.headers()['content-encoding'] ?? 'identity',
    /^identity$/,
    'a compressed answer tells of the value by its length',
  );
  await page.locator('#value').waitFor();
  value = await page.locator('#value').inputValue();
  assert.match(value, VALUE);
  assert.equal(await dialog().isVisible(), false);
  assert.equal(await page.title(), 'Token generated · Hallpass');
});

test('the value can be copied and downloaded', async () => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: here.site.url });
  await page.getByRole('button', { name: 'Copy', exact: true }).click();
  await page.getByRole('button', { name: 'Copied', exact: true }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), value);
  await page.evaluate(() => navigator.clipboard.writeText(''));

  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download' }).click(),
  ]);
  assert.equal(file.suggestedFilename(), 'ci-deploy.token.txt');
  assert.equal((await readFile(await file.path(), 'utf8')).trim(), value);
  await file.delete();
});

test('once the page is left, the value is in no page, storage, history entry, second tab, file or log', async () => {
  assert.match(value ?? '', VALUE);
  assert.ok((await everythingKept(page)).includes(value), 'this test would find it');
  const nowhere = async (where, of = page) =>
    assert.ok(!(await everythingKept(of)).includes(value), `the value is still there ${where}`);
  await follow(page, page.getByRole('link', { name: 'I saved the value' }), '/settings/tokens');
  const list = await page.locator('main').innerText();
  assert.ok(list.includes('ci-deploy') && list.includes(value.slice(0, 8)));
  await nowhere('on the list');
  await page.reload();
  await nowhere('after a reload');
  await page.goBack();
  await nowhere('after going back');
  await page.reload();
  await nowhere('after going back and a reload');
  await page.goBack();
  await nowhere('after going back twice');
  await page.goForward();
  await nowhere('after going forward');
  const tab = await context.newPage();
  await tab.goto(`${here.site.url}/settings/tokens`);
  await nowhere('in a second tab', tab);
  const cdp = await context.newCDPSession(page);
  assert.ok(
    !JSON.stringify(await cdp.send('Page.getNavigationHistory')).includes(value),
    'the value is still there in the history',
  );
  await tab.close();
  const written = await here.site.everythingWritten();
  assert.ok(written.includes('ci-deploy'), 'this test reads the database');
  assert.ok(!written.includes(value), 'the value is still there in a file or log line');
});

test('a page with the value that the browser keeps for its back button has been wiped', async () => {
  await ask('kept by the browser');
  await dialog().locator('[name=password]').fill(OWNER.password);
  await dialog().getByRole('button', { name: 'Generate token' }).click();
  await page.locator('#value').waitFor();
  const shown = await page.locator('#value').inputValue();
  assert.match(shown, VALUE);
  // What a browser does with a page that it keeps; whether it keeps one is its own choice.
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })));
  assert.ok(!(await everythingKept(page)).includes(shown), 'the value was not wiped');
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
  assert.match(await page.getByRole('status').filter({ hasText: 'wiped' }).innerText(), /regenerate/i);
});

test('the same confirmation sent once more says that the value was already shown', async () => {
  await ask('sent twice');
  // As a full page, so that the browser itself repeats the POST at a reload.
  await dialog()
    .locator('form')
    .evaluate((form, password) => {
      form.password.value = password;
      HTMLFormElement.prototype.submit.call(form);
    }, OWNER.password);
  const shown = await page.locator('#value').inputValue();
  assert.match(shown, VALUE);
  await page.reload();
  assert.match(await page.locator('main').innerText(), /already shown/);
  assert.ok(!(await everythingKept(page)).includes(shown));
});

test('a hasty double click still shows the value', async () => {
  await ask('clicked twice');
  await dialog().locator('[name=password]').fill(OWNER.password);
  await dialog().getByRole('button', { name: 'Generate token' }).dblclick();
  await page.locator('#value').waitFor();
  await page.waitForLoadState('networkidle');
  assert.match(await page.locator('#value').inputValue(), VALUE);
});

test('without a network the dialog says so and stays, and works when the network is back', async () => {
  await ask('without a network');
  const generate = dialog().getByRole('button', { name: 'Generate token' });
  await dialog().locator('[name=password]').fill(OWNER.password);
  await context.setOffline(true);
  await generate.click();
  assert.match(await dialog().getByRole('alert').innerText(), /did not answer/);
  assert.ok(context.faults.splice(0).every(text => /INTERNET_DISCONNECTED|htmx:(sendError|afterRequest)/.test(text)));
  await context.setOffline(false);
  await generate.click();
  await page.locator('#value').waitFor();
});

test('the colour theme changes at once and is still there after a reload', async () => {
  await at('/settings/tokens');
  const change = page.getByRole('button', { name: /Colour theme/ });
  for (const theme of ['light', 'dark', 'auto']) {
    await Promise.all([page.waitForResponse(r => r.url().endsWith('/theme')), change.click()]);
    await page.waitForFunction(theme => document.documentElement.dataset.theme === theme, theme);
    await page.reload();
    assert.equal((await page.locator('html').getAttribute('data-theme')) ?? 'auto', theme);
  }
});

test('rows are chosen by clicks as in a file manager', async () => {
  await at('/settings/tokens?sort=name');
  const rows = page.locator('tr', { has: page.locator('[name=id]') });
  const click = async (i, ...modifiers) => rows.nth(i).getByRole('cell').last().click({ modifiers });
  const chosen = () =>
    page.locator('[name=id]').evaluateAll(boxes => boxes.flatMap((box, i) => (box.checked ? [i] : [])).join());
  await click(0);
  assert.equal(await chosen(), '0');
  await click(2, 'Shift');
  assert.equal(await chosen(), '0,1,2');
  await click(1, 'Control');
  assert.equal(await chosen(), '0,2');
  await click(1);
  assert.equal(await chosen(), '1');
  await click(1);
  assert.equal(await chosen(), '');
});

test('tokens are removed through a dialog whose focus starts on the safe button', async () => {
  await at('/settings/tokens');
  const remove = page.locator('button[name=do][value=remove]');
  const row = name => page.getByRole('row').filter({ hasText: name });
  await row('kept by the browser').getByRole('checkbox').check();
  await row('sent twice').getByRole('checkbox').check();
  await remove.click();
  await dialog().waitFor();
  const keep = dialog().getByRole('button', { name: 'Keep tokens' });
  await focused(keep);
  assert.match(await dialog().innerText(), /Remove 2 tokens\?/);
  await keep.click();
  await dialog().waitFor({ state: 'hidden' });
  assert.equal(await row('sent twice').count(), 1);
  await focused(remove, 'the focus returns');

  await remove.click();
  await dialog().locator('[name=password]').fill(OWNER.password);
  await dialog().getByRole('button', { name: 'Remove 2 tokens' }).click();
  await page.getByRole('status').filter({ hasText: 'Removed 2 tokens.' }).waitFor();
  assert.equal(await row('sent twice').count(), 0);
  assert.equal(await row('ci-deploy').count(), 1);
});

test('removing without a token chosen says so and changes nothing', async () => {
  await at('/settings/tokens');
  const remove = page.locator('button[name=do][value=remove]');
  assert.equal(await remove.getAttribute('aria-disabled'), 'true');
  assert.match(await remove.getAttribute('title'), /Select/);
  await remove.click({ force: true });
  assert.equal(await dialog().isVisible(), false);
});

test('a session that ended in the meantime leads to the sign-in, and nothing is generated', async () => {
  await ask('too late');
  await context.clearCookies();
  await dialog().locator('[name=password]').fill(OWNER.password);
  await dialog().getByRole('button', { name: 'Generate token' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  assert.match(await page.locator('main').innerText(), /Your session has ended/);
  await signIn(context, here.site);
  await at('/settings/tokens');
  assert.equal(await page.getByRole('row').filter({ hasText: 'too late' }).count(), 0);
});

test('who had to sign in again gets the filled form back, from the form and from its password step', async () => {
  for (const name of ['from the form', 'from the step']) {
    await ask(name);
    if (name === 'from the form') {
      await dialog().getByRole('button', { name: 'Cancel' }).click();
      await context.clearCookies();
      await goOn(page, 'lifetime').click();
    } else {
      await context.clearCookies();
      await dialog().locator('[name=password]').fill(OWNER.password);
      await dialog().getByRole('button', { name: 'Generate token' }).click();
    }
    await page.locator('[name=kept]').waitFor({ state: 'attached' });
    assert.doesNotMatch(await page.locator('[name=kept]').inputValue(), /bicycles/);
    await page.locator('[name=email]').fill(OWNER.email);
    await page.locator('[name=password]').fill(OWNER.password);
    await goOn(page, 'password').click();
    await page.locator('[name=lifetime]').waitFor();
    assert.equal(await page.locator('[name=name]').inputValue(), name);
    assert.deepEqual(await page.locator('[name=m]:checked').evaluateAll(boxes => boxes.map(box => box.value)), [STOP]);
  }
});

test('who signs out sees nothing any more, with the back button neither, and who signs in goes on where they were', async () => {
  await at('/settings/tokens');
  await page.getByRole('button', { name: /Account menu/ }).click();
  await follow(page, page.getByRole('button', { name: 'Sign out' }), '/login');
  await page.goBack();
  await page.waitForURL(url => url.pathname === '/login');
  await at('/settings/tokens?status=active');
  await page.waitForURL(url => url.pathname === '/login');
  await page.locator('[name=email]').fill(OWNER.email);
  await page.locator('[name=password]').fill(OWNER.password);
  await goOn(page, 'password').click();
  await page.waitForURL(`${here.site.url}/settings/tokens?status=active`);
});
